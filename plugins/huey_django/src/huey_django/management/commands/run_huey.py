"""``manage.py run_huey``: the consumer of a Django project."""

from __future__ import annotations

import argparse
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import connections

from huey_core.consumer import ConsumerGroup, end_soon, run_until_signalled, served_queues, set_up_logging
from huey_core.exceptions import QueueException
from huey_core.settings import LOG_FORMATS
from huey_django.conf import HueySettings, SettingsError
from huey_django.consumers import invokers_to_serve, make_consumers
from huey_django.discovery import autodiscover
from huey_django.invokers import DEFAULT_QUEUE, reset
from huey_django.reload import CodeWatch, start_again, start_or_wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from huey_core.consumer import ConsumerConfig, Runnable

EPILOG: Final = """\
The options go before the settings of the same name in HUEY_CONFIG:

  HUEY = "redis://localhost:6379/0"
  HUEY_CONFIG = {"WORKERS": 8, "UTC": False, "SERVE_QUEUES": {"default": 3, "mail": 1}}

The commands are those in the modules commands and tasks of INSTALLED_APPS, which are imported at the start, and
whatever those import. Each runs as a request would: with LANGUAGE_CODE and TIME_ZONE as the settings have them, and
database connections of its own that are closed behind it. Periodic commands go by UTC, or with UTC off by TIME_ZONE.

SIGTERM or SIGINT (Ctrl-C) stops claiming, lets running commands finish for up to the shutdown timeout, gives the
rest back to other consumers, and exits. A second one gives everything back now. SIGHUP restarts gracefully.
Nothing is lost when the process is killed: other consumers get its messages when the leases end.

Exit code: 0 after SIGTERM or SIGINT, and when a burst is over; 1 after a second signal or when the consumer cannot
start; 2 for a wrong command line.
"""

GIVEN: Final = (
    "burst",
    "burst_wait",
    "worker_type",
    "workers",
    "threads",
    "logfile",
    "log_format",
    "log_commands",
    "max_commands",
    "max_memory",
    "heartbeat",
    "health_file",
    "lease",
    "prefetch",
    "shutdown_timeout",
)
"""The options that are settings of the same name, and nothing else."""

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")


class HelpFormatter(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Django's formatter, which leaves the lines of the epilog as they are."""


class Command(BaseCommand):
    """Runs the commands of the project's queues until a signal comes."""

    help = "Run the commands of the project's queues. Start as many as you like, on as many machines."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Add the epilog to Django's parser."""
        kwargs = {"formatter_class": HelpFormatter, "epilog": EPILOG, **kwargs}
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        add = parser.add_argument
        add(
            "--queue",
            action="append",
            dest="queues",
            metavar="NAME",
            help=f"Serve this queue; may be repeated. {DEFAULT_QUEUE!r} is the one that the settings name. By default "
            "those in SERVE_QUEUES, or else that one and every queue in TASKS.",
        )
        add(
            "--weight",
            action="append",
            dest="weights",
            metavar="NAME=3",
            help="The share of a queue in the time of the workers, beside others; 1 by default. May be repeated.",
        )
        add(
            "--strict",
            action="store_true",
            help="Serve a queue when those before it have no messages, in the order of --queue or of SERVE_QUEUES.",
        )
        add("--worker-type", metavar="NAME", help="The worker pool that runs commands: thread, process, or a plugin's.")
        add("-w", "--workers", type=at_least(1, int), metavar="N", help="How many commands run at once, of all queues.")
        add("-t", "--threads", type=at_least(1, int), metavar="N", help="The same for threads, by its older name.")
        add(
            "-p",
            "--periodic",
            action="store_true",
            default=None,
            help="Run periodic commands. It may be on in every consumer: each tick runs once.",
        )
        add("-n", "--no-periodic", action="store_false", dest="periodic", help="Run no periodic commands.")
        add("--burst", action="store_true", default=None, help="End, with exit code 0, when nothing is ready any more.")
        add(
            "--burst-wait",
            type=at_least(0),
            metavar="SECONDS",
            help="Let a burst wait for what is due within so many seconds, too.",
        )
        add("-l", "--logfile", metavar="FILE", help="Log to this file, rotated, not to stderr.")
        add(
            "--loglevel",
            type=str.upper,
            choices=LEVELS,
            help="The least level to log. --verbosity 0 is the same as WARNING here, 2 and 3 are DEBUG.",
        )
        add("--log-format", choices=LOG_FORMATS, help="Lines of text, or one JSON object a line.")
        add(
            "--log-commands",
            action=argparse.BooleanOptionalAction,
            default=None,
            help="Log each command that ended, at the level INFO.",
        )
        add(
            "--max-commands",
            type=at_least(1, int),
            metavar="N",
            help="Replace a worker process after so many commands; with threads, start the consumer again.",
        )
        add("--max-memory", type=at_least(1, int), metavar="MIB", help="The same when it takes more memory.")
        add(
            "--heartbeat",
            type=at_least(0.1),
            metavar="SECONDS",
            help="How often to send a heartbeat; 10 by default.",
        )
        add("--health-file", metavar="FILE", help="Touch this file so often while all is well: huey health.")
        add("--lease", type=at_least(1), metavar="SECONDS", help="How long a lease lasts unless it is renewed.")
        add("--prefetch", type=at_least(0, int), metavar="N", help="The most messages to prefetch for quick workers.")
        add("--shutdown-timeout", type=at_least(0), metavar="SECONDS", help="How long running commands may finish.")
        add("--reload", action="store_true", help="Restart gracefully when a file changes. For development.")

    def run_from_argv(self, argv: list[str]) -> None:
        """Run, and with ``--reload`` wait for a change when the project cannot be loaded."""
        run = super().run_from_argv
        if "--reload" in argv:
            start_or_wait(lambda: run(argv))
        else:
            run(argv)

    def handle(self, *, reload: bool, verbosity: int, loglevel: str | None, **options: Any) -> None:
        """Run until a signal comes, and exit.

        Raises:
            CommandError: The consumer cannot start.
        """
        loglevel = loglevel or {0: "WARNING", 1: None}.get(verbosity, "DEBUG")
        given = {name: options[name] for name in GIVEN}
        try:
            settings = HueySettings.load()
            given["serve_queues"] = _served(settings, options["queues"], options["weights"], strict=options["strict"])
            config = settings.consumer_config(periodic=options["periodic"], loglevel=loglevel, **given)
            if options["burst_wait"] is not None and not config.burst:
                raise CommandError("--burst-wait is for a burst: give --burst, too.", returncode=2)
            if config.burst and reload:
                raise CommandError(
                    "--burst ends by itself, and --reload never does: leave one of them out.", returncode=2
                )
            set_up_logging(config, level_is_given=loglevel is not None or "loglevel" in settings.consumer)
            autodiscover()
            watch = CodeWatch(checks=not options["skip_checks"]) if reload else None
            code = _run(config, watch, periodic=options["periodic"])
        except (QueueException, SettingsError) as error:
            raise CommandError(str(error)) from error
        end_soon(code)
        sys.exit(code)


def _served(
    settings: HueySettings, names: Sequence[str] | None, weights: Sequence[str] | None, *, strict: bool
) -> Mapping[str, float] | Sequence[str] | None:
    """The queues to serve, as the project calls them; ``None`` for those that are served without a setting."""
    setting = settings.consumer.get("serve_queues")
    if setting is None and not names and (weights or strict):
        setting = dict.fromkeys(invokers_to_serve().values(), 1.0)
    return served_queues(setting, names or (), weights or (), strict=strict)


def _run(config: ConsumerConfig, watch: CodeWatch | None, *, periodic: bool | None) -> int:
    consumers = make_consumers(config)
    if periodic and not any(consumer.config.runs_periodic for consumer in consumers):
        raise CommandError(
            "--periodic: periodic commands are those of the project's queues, none of which is served here."
        )
    members: list[Runnable] = [*consumers]
    if watch is not None:
        members.append(watch)
    # What the checks and the imports have opened in this thread, which runs no command.
    connections.close_all()
    try:
        return run_until_signalled(ConsumerGroup(members), None if watch is None else start_again)
    finally:
        for consumer in consumers:
            consumer.invoker.close(timeout=0.1)
        reset()


def at_least(least: float, kind: type[int] | type[float] = float) -> Callable[[str], float]:
    """Make the type of an option that is a number and not less than another, nor more than a thread can wait."""

    def number(text: str) -> float:
        value = kind(text)
        if not least <= value <= threading.TIMEOUT_MAX:
            raise argparse.ArgumentTypeError(
                f"must be at least {least} and at most {threading.TIMEOUT_MAX:g}, not {text}"
            )
        return value

    number.__name__ = "whole number" if kind is int else "number"
    return number
