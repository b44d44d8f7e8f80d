"""``huey setup``: make what a server must have before the first message."""

from __future__ import annotations

import click

from huey_core.cli.target import opened, server_errors, url_argument
from huey_core.text import printable

__all__ = ["setup"]


@click.command(
    epilog="""
    \b
    Example:    huey setup 'mongodb://installer@db/mail'
    Exit code:  0  everything is there, also when it was before
                1  the server cannot be reached, or refuses; there is no usable plugin
                2  the command line is wrong
    """,
)
@url_argument
def setup(url: str | None) -> None:
    """Make what must be there before the first message, and show what is there now.

    That is up to the plugin of the URL: the indexes of a database, a file with its tables. What is there already is
    left alone, so the command can be part of every deployment. Consumers and web servers do the same at their first
    use; run it where they may not, with a URL of somebody who may.
    """
    with opened(url) as backend:
        with server_errors(backend):
            # Where there is nothing to make, nobody else would ask whether the server is there.
            backend.ping()
            lines = backend.set_up()
        for line in lines or [f"{backend.url}: the server answers, and there is nothing to set up"]:
            click.echo(printable(line))
