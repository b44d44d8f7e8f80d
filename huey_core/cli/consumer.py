"""``huey consumer``, which is also the script ``huey_consumer``."""

from __future__ import annotations

import logging
import sys
import traceback
from functools import partial
from pathlib import Path
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, Any

import click

from huey_core.consumer.config import BaseConfiguration, load_configuration, read_configuration
from huey_core.consumer.consumer import Consumer
from huey_core.consumer.logs import set_up_logging
from huey_core.consumer.queue_options import served_queues
from huey_core.consumer.signals import end_soon
from huey_core.exceptions import ConfigurationError, QueueException
from huey_core.settings import EVENT_LOOPS, LOG_FORMATS, ConsumerConfig

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from huey_core.invoker.invoker import Invoker

__all__ = ["consumer"]

_EPILOG = """
    \b
    Example: main.py
        class Configuration(BaseConfiguration):
            INVOKER = invoker
            WORKERS = 8
    \b
        huey_consumer main.Configuration

    SIGTERM or SIGINT (Ctrl-C) stops claiming, lets running commands finish for up to the shutdown timeout, gives the
    rest back to other consumers, and exits. A second one gives everything back now. SIGHUP restarts gracefully.
    Nothing is lost when the process is killed: other consumers get its messages when the leases end.

    Exit code: 0 after SIGTERM, SIGINT or SIGHUP, and when a burst is over; 1 after a second signal or when the consumer
    cannot start or stop.
"""


class _Seconds(click.FloatRange):
    """Seconds for which a thread can wait."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds: float = super().convert(value, param, ctx)
        # "Not a number" is not less than the least either.
        if not seconds <= TIMEOUT_MAX:
            self.fail(f"{value} is not a time for which a thread can wait.", param, ctx)
        return seconds


@click.command(epilog=_EPILOG)
@click.argument("configuration")
@click.option(
    "--queue",
    "queues",
    multiple=True,
    metavar="NAME",
    help="Serve this queue; may be repeated. By default that of the invoker, or those that SERVE_QUEUES names.",
)
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="NAME=3",
    help="The share of a queue in the time of the workers, beside others; 1 by default. May be repeated.",
)
@click.option("--strict", is_flag=True, help="Serve a queue when those before it have no messages, in this order.")
@click.option("--worker-type", metavar="NAME", help="What runs commands: thread, process, asyncio, or a plugin's pool.")
@click.option("-w", "--workers", type=click.IntRange(min=1), help="How many commands run at once.")
@click.option("-t", "--threads", type=click.IntRange(min=1), help="The same for threads, by its older name.")
@click.option("--event-loop", type=click.Choice(EVENT_LOOPS), help="The kind of event loop of the pool asyncio.")
@click.option(
    "-p/-n",
    "--periodic/--no-periodic",
    default=None,
    help="Whether to run periodic commands. It may be on in every consumer: each tick runs once. A burst runs none "
    "unless it is asked to, and then those that are due when it begins.",
)
@click.option("--burst", is_flag=True, default=None, help="End, with exit code 0, when nothing is ready any more.")
@click.option(
    "--burst-wait",
    type=_Seconds(min=0),
    metavar="SECONDS",
    help="Let a burst wait for what is due within so many seconds, too.",
)
@click.option("-l", "--logfile", type=click.Path(dir_okay=False), help="Log to this file, rotated, not to stderr.")
@click.option(
    "--loglevel",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    help="The least level to log.",
)
@click.option("-v", "--verbose", is_flag=True, help="The same as --loglevel DEBUG.")
@click.option("-q", "--quiet", is_flag=True, help="The same as --loglevel WARNING.")
@click.option("--log-format", type=click.Choice(LOG_FORMATS), help="Lines of text, or one JSON object a line.")
@click.option(
    "--log-commands/--no-log-commands", default=None, help="Whether to log each command that ended, at the level INFO."
)
@click.option(
    "--max-commands",
    type=click.IntRange(min=1),
    metavar="N",
    help="Replace a worker process after so many commands; with another pool, start the consumer again.",
)
@click.option("--max-memory", type=click.IntRange(min=1), metavar="MIB", help="The same when it takes more memory.")
@click.option(
    "--heartbeat", type=_Seconds(min=0.1), metavar="SECONDS", help="How often to send a heartbeat; 10 by default."
)
@click.option(
    "--health-file",
    type=click.Path(dir_okay=False),
    help="Touch this file at each heartbeat while the consumer is healthy, for huey health --file.",
)
@click.option("--lease", type=_Seconds(min=1), metavar="SECONDS", help="How long a lease lasts unless it is renewed.")
@click.option("--prefetch", type=click.IntRange(min=0), help="The most messages to prefetch for quick workers.")
@click.option(
    "--shutdown-timeout", type=_Seconds(min=0), metavar="SECONDS", help="How long running commands may finish."
)
@click.option(
    "--reload",
    is_flag=True,
    help="Start again, when what runs is finished, whenever a Python file changes. For development; it needs "
    "huey-core[reload].",
)
@click.option(
    "--reload-dir",
    "reload_dirs",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to look for changed files, with all that is below; may be repeated. By default the current directory.",
)
def consumer(
    *,
    configuration: str,
    verbose: bool,
    quiet: bool,
    loglevel: str | None,
    queues: Sequence[str],
    weights: Sequence[str],
    strict: bool,
    reload: bool,
    reload_dirs: Sequence[Path],
    **settings: Any,
) -> None:
    """Run the commands of a queue, or of several.

    CONFIGURATION is the dotted path of a subclass of huey_core.consumer.BaseConfiguration, which names the invoker
    and the settings. The options here go before the settings of the same name. The module is looked for in the
    current directory first, and it must import every module that defines commands.
    """
    loglevel = "DEBUG" if verbose else "WARNING" if quiet else loglevel
    if reload_dirs and not reload:
        raise click.UsageError("--reload-dir says where --reload looks for changed files: give --reload, too")
    if reload and settings["burst"]:
        raise click.UsageError("--burst ends by itself, and --reload never does: leave one of them out")
    if reload:
        _supervise(reload_dirs or [Path.cwd()], loglevel, settings["log_format"])
    configuration_class, invoker = _load(configuration)
    settings["serve_queues"] = served_queues(configuration_class.SERVE_QUEUES, queues, weights, strict=strict)
    config = read_configuration(configuration_class, loglevel=loglevel, **settings)
    if settings["burst_wait"] is not None and not config.burst:
        raise click.UsageError("--burst-wait is for a burst: give --burst, too")
    set_up_logging(config, level_is_given=loglevel is not None or _sets_level(configuration_class))
    try:
        code = Consumer(invoker, config, application=configuration).run()
        end_soon(code)
        sys.exit(code)
    finally:
        invoker.close(timeout=0.1)


def _supervise(directories: Sequence[Path], loglevel: str | None, log_format: str | None) -> None:
    """Run this command line in a child process, again and again, and exit; in the child itself return."""
    from huey_core.consumer.reload import Reloader, end_with_supervisor, is_supervised, source_changes

    if is_supervised():
        end_with_supervisor()
        return
    for directory in directories:
        if not directory.is_dir():
            raise click.UsageError(f"--reload-dir: there is no directory {str(directory)!r}")
    # Where the application wants the log, only the child knows, which imports it.
    config = ConsumerConfig.of({}, {"loglevel": loglevel, "log_format": log_format})
    set_up_logging(config, level_is_given=loglevel is not None)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    command = [sys.executable, *sys.orig_argv[1:]]
    sys.exit(Reloader(command, partial(source_changes, directories)).run())


def _sets_level(configuration: type[BaseConfiguration]) -> bool:
    return any("LOGLEVEL" in vars(one) for one in configuration.__mro__ if one is not BaseConfiguration)


def _load(path: str) -> tuple[type[BaseConfiguration], Invoker]:
    """Import the configuration. When the application's modules fail at that, print where they do, and exit."""
    try:
        return load_configuration(path)
    except QueueException as error:
        line = _application_line(_inside_the_import(error.__traceback__))
        if line is None:
            raise
        raise ConfigurationError(f"{error}; see {line}") from error
    except Exception as error:  # noqa: BLE001 - the modules may raise anything
        traceback.print_exception(type(error), error, _inside_the_import(error.__traceback__))
        sys.exit(1)


def _application_line(frame: TracebackType | None) -> str | None:
    """The last line of the application before core's own frames, if an application is what the traceback begins in."""
    found = None
    while frame is not None and _package(frame) != "huey_core":
        if _package(frame) != "importlib":
            found = f"{frame.tb_frame.f_code.co_filename}, line {frame.tb_lineno}"
        frame = frame.tb_next
    return found


def _inside_the_import(whole: TracebackType | None) -> TracebackType | None:
    """The part of a traceback that begins in the module that was imported: nothing for a mistake in its syntax.

    When nothing was being imported, it is the whole.
    """
    part = whole
    while part is not None and not _is_importing(part):
        part = part.tb_next
    if part is None:
        return whole
    while part is not None and _is_importing(part):
        part = part.tb_next
    return part


def _is_importing(frame: TracebackType) -> bool:
    return _package(frame) == "importlib"


def _package(frame: TracebackType) -> str:
    return str(frame.tb_frame.f_globals.get("__name__")).partition(".")[0]
