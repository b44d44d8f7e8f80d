"""``run_huey --reload``: a changed file restarts the consumer, gracefully, if the project can be loaded."""

from __future__ import annotations

import os

import pytest

from deployment import await_condition
from huey_django.reload import LAUNCH, _command_line

EDITION_2 = """
from huey_django import queue_command

@queue_command(name="shop.edition")
def edition():
    return 2
"""


@pytest.fixture
def shop(deploy):
    return deploy(DEBUG=True)


@pytest.fixture
def tasks(shop):
    """A module of the project, to be changed."""
    return shop.copy_code() / "tasks.py"


def change(file, text):
    """Change a file in one step: while it is watched, what is half written could be loaded."""
    written = file.with_suffix(".written")
    written.write_text(text)
    written.replace(file)


def await_reaction(consumer, file, text, times=1, timeout=60.0):
    """Wait until a change of the file has been seen. Nobody says when watching begins, so it is changed many times."""

    def is_seen():
        os.utime(file)
        return consumer.log().count(text) >= times

    await_condition(is_seen, f"{text!r} is logged", timeout)


def test_a_changed_module_is_loaded_by_the_same_process(shop, tasks):
    consumer = shop.start("--reload")
    assert shop.call("edition") == 1
    change(tasks, EDITION_2)

    await_reaction(consumer, tasks, " ready\n", times=2)

    assert shop.call("edition") == 2
    assert shop.call("look_around")["pid"] == consumer.pid


def test_a_running_command_finishes_first(shop, tasks):
    consumer = shop.start("--reload")
    handle = shop.enqueue("place_and_wait", "a book", "go")
    shop.await_waiting("go")

    await_reaction(consumer, tasks, "stopping (SIGHUP): 1 command running")
    shop.let_go("go")
    consumer.await_ready(times=2)

    assert handle.get() == 1
    assert not consumer.log_lines("given back")


@pytest.mark.parametrize(
    ("name", "wrong", "shown"),
    [
        ("orders/tasks.py", "def half_written(\n", "SyntaxError"),
        ("settings.py", "HUEY_CONFIG = {'TREADS': 2}\n", "Did you mean 'THREADS'?"),
    ],
)
def test_what_cannot_be_loaded_is_shown_and_the_consumer_goes_on_until_it_is_mended(shop, tasks, name, wrong, shown):
    file = shop.root / name
    right = file.read_text()
    consumer = shop.start("--reload")
    change(file, f"{right}\n{wrong}")
    await_reaction(consumer, file, "going on with what was loaded before")
    assert consumer.log_lines(shown)
    assert shop.call("edition") == 1

    change(file, right)
    await_reaction(consumer, file, " ready\n", times=2)

    assert shop.call("edition") == 1


@pytest.mark.parametrize("name", ["orders/tasks.py", "settings.py"])
def test_what_breaks_while_it_starts_again_is_shown_and_waited_for(shop, tasks, name):
    file = shop.root / name
    right = file.read_text()
    consumer = shop.start("--reload")
    change(file, f"{right}\nimport sys\nassert 'run_huey' not in sys.argv, 'saved after it was tried'\n")
    await_reaction(consumer, file, "Waiting for a file to change")
    assert consumer.log_lines("saved after it was tried")

    change(file, right)
    consumer.await_ready(times=2)

    assert shop.call("edition") == 1
    assert shop.call("look_around")["pid"] == consumer.pid


def test_code_that_is_broken_at_the_first_start_is_shown_and_waited_for(shop, tasks):
    tasks.write_text("def half_written(\n")
    consumer = shop.launch("--reload")
    await_condition(lambda: consumer.log_lines("Waiting for a file to change"), "it waits")
    assert consumer.log_lines("SyntaxError")

    change(tasks, EDITION_2)
    consumer.await_ready()

    assert shop.call("edition") == 2


@pytest.mark.parametrize(
    ("original", "arguments", "expected"),
    [
        (["py", "manage.py", "run"], ["manage.py", "run"], ([], ["manage.py", "run"])),
        (["py", "-X", "dev", "manage.py", "run"], ["manage.py", "run"], (["-X", "dev"], ["manage.py", "run"])),
        (["py", "-m", "coverage", "run", "x.py"], ["x.py"], (["-m", "coverage", "run"], ["x.py"])),
        (["py", "-m", "django", "run"], ["/django/__main__.py", "run"], ([], ["-m", "django", "run"])),
        (["py", "-B", "-mdjango", "run"], ["/django/__main__.py", "run"], (["-B"], ["-m", "django", "run"])),
        (["py", "-B", "-c", LAUNCH, "-m", "django", "run"], ["run"], (["-B"], ["-m", "django", "run"])),
    ],
)
def test_options_of_python_are_told_from_the_program(original, arguments, expected):
    assert _command_line(original, arguments) == expected


def test_a_start_without_checks_is_tried_without_them(shop, tasks):
    settings = shop.root / "settings.py"
    settings.write_text(f"{settings.read_text()}\nROOT_URLCONF = 'nowhere'\n")
    consumer = shop.start("--reload", "--skip-checks")
    change(tasks, EDITION_2)

    await_reaction(consumer, tasks, " ready\n", times=2)

    assert shop.call("edition") == 2


def test_a_line_of_django_that_its_own_handler_shows_is_not_doubled(shop, tasks):
    consumer = shop.start("--reload")
    await_reaction(consumer, tasks, "stopping (SIGHUP)")
    # By the time of this look the next start may have seen a change as well.
    before_it_stopped = consumer.log().partition("stopping (SIGHUP)")[0]
    assert before_it_stopped.count("changed, reloading") == 1


def test_it_ends_as_without(shop, tasks):
    assert shop.start("--reload").terminate() == 0
