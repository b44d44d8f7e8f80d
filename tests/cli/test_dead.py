from __future__ import annotations

import json
import time
from datetime import datetime

import pytest

from huey_core.backends.messages import Message, State
from huey_core.backends.outcomes import Bury
from huey_core.commands.stored_result import encode_error
from huey_core.message import read_result
from huey_core.serializers import JSONSerializer
from wire import pack


def dead(cli) -> list[str]:
    return [message.message_id for message in cli.queue.peek(State.DEAD)]


def test_list_shows_id_command_and_reason_with_the_last_buried_first(cli):
    cli.bury("one", reason="first reason")
    cli.bury("two", reason="second reason")

    lines = cli.run("dead", "list", cli.url).output.splitlines()

    assert lines[0].split() == ["ID", "COMMAND", "BURIED", "REASON"]
    assert [(line.split()[0], line.split()[1]) for line in lines[1:]] == [("two", "mail.send"), ("one", "mail.send")]
    assert lines[1].endswith("second reason")


def test_list_shows_a_message_that_cannot_be_read(cli):
    cli.bury("garbage", data=b"\x80\x04garbage")

    assert "garbage  (unreadable)" in cli.run("dead", "list", cli.url).output


def test_list_is_no_wider_for_a_name_without_end(cli):
    cli.bury("one", data=pack({"id": "one", "cmd": "x" * 50_000, "ser": "json", "at": 1.0}, b"[[], {}]"))

    lines = cli.run("dead", "list", cli.url).output.splitlines()

    assert max(map(len, lines)) < 300
    assert "characters left out" in lines[1]


def test_list_says_that_there_are_none(cli):
    result = cli.run("dead", "list", cli.url)

    assert (result.exit_code, "has no dead letters" in result.output) == (0, True)


def test_list_takes_a_portion(cli):
    for name in ("one", "two", "three"):
        cli.bury(name)

    shown = json.loads(cli.run("dead", "list", cli.url, "--limit", "1", "--offset", "1", "--json").output)

    assert [each["id"] for each in shown] == ["two"]


def test_list_says_that_there_are_others(cli):
    for name in ("one", "two", "three"):
        cli.bury(name)

    result = cli.run("dead", "list", cli.url, "--limit", "2")

    assert result.stderr == "2 of 3; --limit and --offset show others\n"


@pytest.mark.parametrize("words", [(), ("--limit", "1", "--json")])
def test_list_says_no_more_than_the_dead_letters_when_there_are_no_others_or_a_program_reads_it(cli, words):
    cli.bury("one")
    if words:
        cli.bury("two")

    assert cli.run("dead", "list", cli.url, *words).stderr == ""


def test_list_as_json_says_when_it_was_buried(cli):
    before = int(time.time())
    cli.bury("one")

    (found,) = json.loads(cli.run("dead", "list", cli.url, "--json").output)

    assert before <= datetime.fromisoformat(found["buried"]).timestamp() <= time.time()
    assert found["buried"].endswith("+00:00")
    assert (found["command"], found["state"], found["reason"]) == ("mail.send", "dead", "no such command")


def test_a_reason_cannot_steer_the_terminal(cli):
    cli.bury("one", reason="\x1b[2Jgone")

    assert r"\x1b[2Jgone" in cli.run("dead", "list", cli.url).output


def test_an_id_cannot_steer_the_terminal(cli, bury_expired):
    bury_expired("\x1b[2Jstale")

    result = cli.run("dead", "retry", cli.url, "\x1b[2Jstale")

    assert r"\x1b[2Jstale: it has expired" in result.stderr


def test_show_prints_header_reason_and_traceback(cli):
    cli.bury("one")

    output = cli.run("dead", "show", cli.url, "one").output

    for part in ("mail.send", "no such command", "2023-11-14T22:13:20+00:00", "Traceback:\n  line 1", "8 bytes"):
        assert part in output


def test_show_as_json_has_the_whole_header(cli):
    cli.bury("one")

    shown = json.loads(cli.run("dead", "show", cli.url, "one", "--json").output)

    assert shown["header"]["prio"] == 3
    assert shown["detail"] == "Traceback:\n  line 1\n"


def test_show_tells_why_a_message_cannot_be_read(cli):
    cli.bury("garbage", data=b"\x80\x04garbage")

    output = cli.run("dead", "show", cli.url, "garbage").output

    assert "the bytes are not a message of this format (9 bytes)" in output


def test_show_survives_a_time_that_is_no_date(cli):
    cli.bury("one", data=b'HUEY/1 {"id":"one","cmd":"c","at":1e300}\n')

    assert "1e+300" in cli.run("dead", "show", cli.url, "one").output


def test_show_fails_for_an_id_that_is_not_there(cli):
    result = cli.run("dead", "show", cli.url, "absent")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "has no message absent" in result.stderr


def test_retry_puts_a_letter_back(cli):
    cli.bury("one")
    cli.bury("two")

    result = cli.run("dead", "retry", cli.url, "one")

    assert (result.exit_code, result.output) == (0, "retried 1 of 1\n")
    assert (dead(cli), cli.queue.counts().ready) == (["two"], 1)


def test_retry_takes_the_url_from_the_environment(cli, monkeypatch):
    monkeypatch.setenv("HUEY_URL", cli.url)
    cli.bury("one")

    assert cli.run("dead", "retry", "one").output == "retried 1 of 1\n"


def test_retry_refuses_what_is_not_dead_and_says_why(cli):
    cli.write("alive")
    cli.write("claimed")

    result = cli.run("dead", "retry", cli.url, "alive", "absent")

    assert (result.exit_code, result.stdout) == (1, "retried 0 of 2\n")
    assert "alive: it is ready, not dead" in result.stderr
    assert "absent: there is no such message" in result.stderr


def test_retry_all_asks_first(cli):
    cli.bury("one")

    result = cli.run("dead", "retry", cli.url, "--all", stdin="n\n")

    assert (result.exit_code, dead(cli)) == (1, ["one"])
    assert "Retry 1 dead letter of" in result.stderr


@pytest.mark.parametrize(("options", "stdin"), [(["--yes"], None), ([], "y\n")])
def test_retry_all_takes_every_dead_letter(cli, options, stdin):
    for number in range(3):
        cli.bury(f"message-{number}")

    result = cli.run("dead", "retry", cli.url, "--all", *options, stdin=stdin)

    assert (result.exit_code, dead(cli), cli.queue.counts().ready) == (0, [], 3)


def test_retry_all_takes_more_dead_letters_than_one_look_shows(cli):
    cli.queue.write_many([Message(b"garbage", f"message-{number}") for number in range(1203)])
    cli.queue.settle([Bury(delivery, "garbage") for delivery in cli.queue.claim(2000, 60).deliveries])

    assert cli.run("dead", "retry", cli.url, "--all", "--yes").output == "retried 1203 of 1203\n"


@pytest.fixture
def bury_expired(cli):
    def bury(message_id: str) -> None:
        header = {"id": message_id, "cmd": "mail.send", "ser": "json", "at": 1_700_000_000.0, "exp": 1_700_000_060.0}
        cli.bury(message_id, pack(header, b"[[1],{}]"))

    return bury


def test_retry_refuses_what_has_expired_and_says_what_can_be_done(cli, bury_expired):
    bury_expired("stale")
    cli.bury("fresh")

    result = cli.run("dead", "retry", cli.url, "stale", "fresh")

    assert (result.exit_code, result.stdout) == (1, "retried 1 of 2\n")
    assert "stale: it has expired, and would be dropped without a run; call the command again" in result.stderr
    assert dead(cli) == ["stale"]


def test_retry_all_leaves_what_has_expired_and_counts_it(cli, bury_expired):
    bury_expired("stale")
    bury_expired("staler")
    cli.bury("fresh")

    result = cli.run("dead", "retry", cli.url, "--all", "--yes")

    assert (result.exit_code, result.stdout) == (0, "retried 1 of 3\n")
    assert result.stderr.startswith("2 dead letters had expired, and would be dropped without a run; ")
    assert sorted(dead(cli)) == ["stale", "staler"]


@pytest.mark.parametrize(("choice", "exit_code"), [("stale", 1), ("--all", 0)])
def test_retry_as_json_names_what_has_expired(cli, bury_expired, choice, exit_code):
    bury_expired("stale")

    result = cli.run("dead", "retry", cli.url, choice, "--json", *(["--yes"] if choice == "--all" else []))

    shown = json.loads(result.stdout)
    assert (result.exit_code, shown["retried"], list(shown["refused"])) == (exit_code, [], ["stale"])
    assert shown["refused"]["stale"].startswith("it has expired")


def test_delete_takes_what_has_expired(cli, bury_expired):
    bury_expired("stale")

    assert cli.run("dead", "delete", cli.url, "stale").output == "deleted 1 of 1\n"


def test_retry_as_json_names_the_ids(cli):
    cli.bury("one")

    result = cli.run("dead", "retry", cli.url, "one", "absent", "--json")

    assert json.loads(result.stdout) == {"retried": ["one"], "refused": {"absent": "there is no such message"}}


def test_delete_forgets_a_letter_for_good(cli):
    cli.bury("one")

    result = cli.run("dead", "delete", cli.url, "one")

    assert (result.output, cli.queue.find(["one"])) == ("deleted 1 of 1\n", [])


@pytest.mark.parametrize("options", [[], ["--queue"]])
def test_whoever_waits_for_what_is_deleted_is_told_unless_there_is_an_error(cli, options):
    name = cli.queue.name
    url, options = (cli.url, []) if not options else ("memory://", ["--queue", name])
    failed = encode_error(JSONSerializer(), "failed", ValueError("no address"))
    results = cli.backend.data_store(name)
    results.put("failed", failed)
    cli.bury("one")
    cli.bury("failed")

    cli.run("dead", "delete", url, "one", "failed", *options)

    assert (read_result(results.peek("one"))[0].state, results.peek("failed")) == ("deleted", failed)


def test_a_url_without_results_is_no_reason_not_to_delete(cli):
    cli.bury("one")

    result = cli.run("dead", "delete", f"{cli.url}&results=none", "one")

    assert result.output == "deleted 1 of 1\n"


def test_delete_needs_no_keys_of_the_serializer(cli, monkeypatch):
    monkeypatch.delenv("HUEY_SIGNING_KEYS", raising=False)
    cli.bury("one")

    result = cli.run("dead", "delete", f"{cli.url}&serializer=json|signed", "one")

    assert result.output == "deleted 1 of 1\n"


def test_delete_leaves_what_is_not_dead(cli):
    cli.write("alive")

    result = cli.run("dead", "delete", cli.url, "alive")

    assert (result.exit_code, cli.queue.counts().ready) == (1, 1)


def test_delete_older_than_leaves_the_younger(cli):
    cli.bury("one")

    result = cli.run("dead", "delete", cli.url, "--older-than", "1h", "--yes")

    assert (result.output, dead(cli)) == ("deleted 0 of 0\n", ["one"])


def test_delete_older_than_takes_the_older(cli):
    cli.bury("one")
    buried = cli.queue.peek(State.DEAD)[0].due
    while cli.queue.now() < buried + 0.005:
        time.sleep(0.001)

    result = cli.run("dead", "delete", cli.url, "--older-than", "5ms", "--yes")

    assert (result.output, dead(cli)) == ("deleted 1 of 1\n", [])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["retry"], "give the ids of messages, or --all"),
        (["retry", "one", "--all"], "give only one of --all and ids"),
        (["delete", "--all", "--older-than", "1d"], "give only one of --all and --older-than"),
        (["delete", "--older-than", "soon"], "expected a duration"),
        (["show", "one", "two"], "give the id of one message"),
        (["list", "--limit", "0"], "--limit"),
    ],
)
def test_a_wrong_command_line_is_explained_and_exits_with_2(cli, monkeypatch, words, message):
    monkeypatch.setenv("HUEY_URL", cli.url)

    result = cli.run("dead", *words)

    assert (result.exit_code, message in result.stderr) == (2, True)
