"""``huey doctor``: everything that can be checked, in one go."""

from __future__ import annotations

import sys

import click

from huey_core.cli.diagnosis import Level, echo_findings
from huey_core.cli.diagnosis import as_json as finding_as_json
from huey_core.cli.output import echo_json
from huey_core.cli.plugin_checks import plugin_findings
from huey_core.cli.server_checks import server_findings
from huey_core.cli.target import json_option, url_argument

__all__ = ["doctor"]


@click.command(
    epilog="""
    \b
    Example:    huey doctor 'redis://localhost:6379/0?queue=mail'
    Exit code:  0  nothing is wrong, though there may be warnings
                1  a check has failed
                2  the command line is wrong
    """,
)
@url_argument
@json_option
def doctor(url: str | None, as_json: bool) -> None:
    """Check the plugins, and with a URL the server, the queue and its consumers.

    Every plugin is imported, and one that is broken is shown and harms nothing else. Of a server you see what it is
    and which of its settings endanger messages, how long a round trip takes, how far its clock is off, whether a
    command and its result go through, how many messages the queue has, which consumers are alive, and which commands
    each of them knows. The queue is not touched: the command goes through a scratch queue, which is flushed.

    Each check is one line that says what to do where something has to be done. The URL's password is not shown.
    """
    findings = list(plugin_findings())
    if url:
        findings += server_findings(url)
    healthy = all(finding.level is not Level.FAIL for finding in findings)
    if as_json:
        echo_json({"healthy": healthy, "checks": [finding_as_json(finding) for finding in findings]})
    else:
        echo_findings(findings)
    sys.exit(0 if healthy else 1)
