"""``manage.py run_huey``: what it runs, where it logs, and how it ends, as a process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from deployment import await_condition

KOLKATA = timezone(timedelta(hours=5, minutes=30))


def test_commands_of_the_modules_commands_and_tasks_are_run(shop):
    shop.start()
    assert (shop.call("place", "a book"), shop.call("edition")) == (1, 1)


def test_a_queue_in_a_file_needs_no_server(deploy, tmp_path):
    shop = deploy(f"sqlite:///{tmp_path}/queue.sqlite3?queue=shop")
    shop.start()
    assert shop.call("place", "a book") == 1


def test_commands_are_run_in_processes_that_load_the_project(shop):
    consumer = shop.start("--worker-type", "process", "--workers", "1")
    assert shop.call("look_around")["pid"] != consumer.pid
    assert (shop.call("place", "a book"), shop.call("edition")) == (1, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_to_end_lets_the_running_command_finish_and_the_exit_code_is_0(shop, number):
    consumer = shop.start()
    handle = shop.enqueue("place_and_wait", "a book", "go")
    shop.await_waiting("go")

    consumer.send(number)
    await_condition(lambda: consumer.log_lines("stopping"), "the consumer is stopping")
    shop.let_go("go")

    assert consumer.exit_code() == 0
    assert handle.get() == 1


def test_a_second_signal_ends_at_once_with_1(shop):
    consumer = shop.start("--shutdown-timeout", "600")
    shop.enqueue("place_and_wait", "a book", "never")
    shop.await_waiting("never")
    consumer.send(signal.SIGTERM)
    await_condition(lambda: consumer.log_lines("stopping"), "the consumer is stopping")

    consumer.send(signal.SIGINT)

    assert consumer.exit_code() == 1


def test_hangup_starts_the_same_command_line_again_in_the_same_process(shop):
    consumer = shop.start("--threads", "2")

    consumer.send(signal.SIGHUP)
    consumer.await_ready(times=2)

    assert len(consumer.log_lines("2 thread workers")) == 2
    assert shop.call("look_around")["pid"] == consumer.pid


def test_options_go_before_settings_and_settings_before_defaults(deploy):
    shop = deploy(HUEY_CONFIG={"THREADS": 3, "SHUTDOWN_TIMEOUT": 7})
    consumer = shop.start("--threads", "2")
    assert consumer.log_lines("2 thread workers", "shutdown within 7 s")


def test_a_command_that_was_enqueued_in_a_transaction_finds_its_row(shop):
    shop.start()
    ordered = shop.manage("order", "a book")
    assert ordered.stdout.splitlines()[0] == "0 before the end"
    assert ordered.stdout.splitlines()[-1] == "a book"


def test_a_transaction_that_is_rolled_back_enqueues_nothing(shop):
    ordered = shop.manage("order", "a book", "--roll-back")
    assert ordered.stdout.splitlines() == ["0 before the end", "0 after the end"]


@pytest.mark.parametrize(("config", "zone"), [({}, UTC), ({"UTC": False}, KOLKATA)], ids=["utc", "time_zone"])
def test_periodic_commands_go_by_utc_or_by_the_time_zone_of_the_project(deploy, config, zone):
    shop = deploy(HUEY_CONFIG=config)
    before = datetime.now(zone)
    shop.start()
    await_condition(shop.asked, "the periodic command was asked")
    after = datetime.now(zone)

    minutes = range(int((after - before).total_seconds()) // 60 + 2)
    assert shop.asked()[0] in {f"{before + timedelta(minutes=minute):%H:%M}" for minute in minutes}


def test_periodic_commands_are_paused_by_the_command_line_of_the_core(shop):
    def periodic(*words):
        return subprocess.run(
            [sys.executable, "-m", "huey_core", "periodic", *words],
            env=shop.environment | {"DJANGO_SETTINGS_MODULE": "settings"},
            cwd=shop.root,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout

    periodic("pause", "huey_django.application", "shop.periodic")

    [listed] = json.loads(periodic("list", "huey_django.application", "--json"))
    assert (listed["name"], listed["declared"], listed["state"]) == ("shop.periodic", True, "paused")


def test_no_periodic_asks_nobody(shop):
    consumer = shop.start("--no-periodic")
    assert shop.call("edition") == 1
    assert consumer.terminate() == 0
    assert not shop.asked()


def test_one_consumer_serves_the_queues_that_are_named(shop):
    mail = f"{shop.folder.name}-mail"
    consumer = shop.start("--queue", "default", "--queue", mail, "--weight", f"{mail}=3")
    consumer.await_ready(times=2)
    assert consumer.log_lines(f"by weight: '{shop.folder.name}' (weight 1), '{mail}' (weight 3)")
    assert len(consumer.log_lines("periodic commands (1)")) == 1
    assert consumer.terminate() == 0
    assert len(consumer.log_lines("stopped: ")) == 1


def test_a_queue_that_is_not_named_is_not_served(shop):
    mail = f"{shop.folder.name}-mail"
    shop.start("--queue", mail)
    shop.enqueue("edition")
    assert shop.call("edition", queue=mail) == 1
    assert len(shop.invoker.queue) == 1


@pytest.mark.parametrize(
    ("options", "url", "settings", "said"),
    [
        ((), "memory://", {}, ["in the memory of one process"]),
        ((), None, {"HUEY_CONFIG": {"ALWAYS_EAGER": True}}, ["ALWAYS_EAGER'] is on"]),
        ((), None, {"HUEY": None}, ["huey_django.E001", "HINT: Set HUEY ="]),
        ((), None, {"HUEY_CONFIG": {"TREADS": 2}}, ["Did you mean 'THREADS'?"]),
        (("--skip-checks",), None, {"HUEY_CONFIG": {"TREADS": 2}}, ["Did you mean 'THREADS'?"]),
        ((), "redis://:correct-horse@127.0.0.1:1/0", {}, ["CommandError: ", "127.0.0.1:1"]),
        (("--queue", "mail", "--queue", "mail"), None, {}, ["--queue 'mail' is given twice"]),
        (("--queue", "mail", "--weight", "a=2"), None, {}, ["the queue 'a', which is not served here"]),
        (("--logfile", "/nowhere/huey.log"), None, {}, ["LOGFILE cannot be written"]),
        (("--worker-type", "threads"), None, {}, ["no worker pool is installed", "did you mean 'thread'?"]),
    ],
)
def test_a_consumer_that_cannot_start_says_why(deploy, options, url, settings, said):
    ended = deploy(url, **settings).manage("run_huey", *options)

    assert ended.returncode == 1
    assert [words for words in said if words not in ended.stderr] == []
    assert "Traceback" not in ended.stderr
    assert "correct-horse" not in ended.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--threads", "0"),
        ("--lease", "0.5"),
        ("--lease", "nan"),
        ("--lease", "inf"),
        ("--prefetch", "-1"),
        ("--loglevel", "LOUD"),
        ("--burst-wait", "30"),
        ("--burst", "--reload"),
    ],
)
def test_an_option_that_cannot_be_used_is_a_wrong_command_line(shop, options):
    ended = shop.manage("run_huey", *options)
    assert ended.returncode == 2
    assert options[0] in ended.stderr


def test_help_says_where_the_settings_are_and_what_signals_do(shop):
    said = shop.manage("run_huey", "--help").stdout
    for word in ("HUEY_CONFIG", "SIGTERM", "--reload", "--queue NAME", "Exit code"):
        assert word in said


class TestLogging:
    """Every line is logged once."""

    @staticmethod
    def console(level):
        """A ``LOGGING`` that shows everything from a level on, with a mark before it."""
        return {
            "version": 1,
            "formatters": {"marked": {"format": "shop: %(message)s"}},
            "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "marked"}},
            "root": {"handlers": ["console"], "level": level},
        }

    def test_lines_go_to_standard_error_without_a_logging_of_the_project(self, shop):
        consumer = shop.start()
        assert len(consumer.log_lines(": ready")) == 1

    def test_handlers_of_the_project_are_enough(self, deploy):
        shop = deploy(LOGGING=self.console("INFO"))
        assert shop.start().log_lines("ready") == [f"shop: queue {shop.folder.name!r}: ready"]

    def test_the_level_that_is_asked_for_goes_before_that_of_the_project(self, deploy):
        shop = deploy(LOGGING=self.console("ERROR"), HUEY_CONFIG={"LOGLEVEL": "INFO"})
        assert shop.start().log_lines("ready") == [f"shop: queue {shop.folder.name!r}: ready"]

    def test_a_log_file_of_the_settings_gets_the_lines_and_standard_error_none(self, deploy, tmp_path):
        shop = deploy(HUEY_CONFIG={"LOGFILE": str(tmp_path / "huey.log")})
        consumer = shop.launch()
        await_condition((tmp_path / "huey.log").exists, "the log file is made")
        await_condition(lambda: ": ready\n" in (tmp_path / "huey.log").read_text(), "the consumer is ready")
        assert consumer.log() == ""

    def test_verbosity_0_tells_warnings_alone(self, shop):
        consumer = shop.launch("--verbosity", "0")
        assert shop.call("edition") == 1
        assert consumer.terminate() == 0
        assert len(consumer.log_lines("keeps nothing on disk")) == 1
        # On a machine that is busy there may be others, of hooks that were slow.
        assert consumer.log_lines(" WARNING ") == consumer.log().splitlines()

    def test_verbosity_2_tells_all_that_the_project_logs(self, shop):
        consumer = shop.start("--verbosity", "2")
        assert shop.call("edition") == 1
        assert len(consumer.log_lines("this is edition 1")) == 1


def test_a_burst_runs_what_is_ready_and_ends_with_0(shop):
    handle = shop.enqueue("place", "a book")

    consumer = shop.start("--burst")

    assert consumer.exit_code() == 0
    assert handle.get() == 1


def test_the_health_file_is_there_while_the_consumer_runs(shop, tmp_path):
    path = tmp_path / "health"
    consumer = shop.start("--health-file", str(path), "--heartbeat", "0.1")
    await_condition(path.exists, "the file is there")

    consumer.terminate()

    assert not path.exists()
