"""``huey new-plugin``: the first version of a plugin's distribution."""

from __future__ import annotations

from pathlib import Path

import click

from huey_testing.scaffold.distribution import Kind, NewDistribution

__all__ = ["new_plugin"]

_NEXT_STEPS = {
    Kind.BACKEND: "pytest                            # the conformance kit, and what is to be written",
    Kind.SERIALIZER: "pytest                            # green: put your own encode() and decode() in its place",
    Kind.WORKERS: "pytest                            # green: put your own way to run deliveries in its place",
    Kind.FEATURE: "pytest                            # green: put your own option in its place",
    Kind.HOOKS: "pytest                            # green: put the hooks that you need in their place",
}


@click.command(
    name="new-plugin",
    epilog="""
    \b
    Kinds:      backend     a skeleton with a sentence for each method to write; its tests are
                            the conformance kit, and list what is left to write
                serializer  a working example, plain JSON, with its tests
                workers     a working example, a worker pool with a thread for each command; its
                            tests are the conformance kit
                feature     a working example, an option of commands that logs those which take
                            longer, with its tests
                hooks       a working example, which logs slow commands and counts failed
                            ones, with its tests
    \b
    Example:    huey new-plugin kite --kind backend ~/src
                huey new-plugin kite-listen --kind backend --scheme kite ~/src
    Exit code:  0  the distribution is written
                1  the name is taken or cannot be used, or the folder is there already
                2  the command line is wrong
    """,
)
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in Kind]),
    required=True,
    help="What it offers: a server to keep queues on, a way to write arguments and results, a way to run "
    "commands, options, or hooks.",
)
@click.option("--scheme", default="", help="The scheme of a backend's URLs, where it is not NAME.")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
def new_plugin(name: str, kind: str, scheme: str, folder: Path) -> None:
    """Write the distribution of a new plugin, huey-NAME, into a folder of that name in DIR.

    DIR is the current directory unless you name another. NAME is what users will write: the scheme of a backend's URL
    (kite://host/) unless --scheme says another, the name of a serializer (?serializer=kite) or of a worker pool
    (--worker-type kite), or the name by which a feature or hooks are blocked. It consists of lower-case letters, digits
    and hyphens.

    It builds, installs, is found by huey-core, and passes ruff and mypy --strict from the start. Nothing is ever
    overwritten.
    """
    distribution = NewDistribution(name, Kind(kind), scheme)
    try:
        written = distribution.write(folder)
    except OSError as error:
        raise click.ClickException(f"{folder} cannot be written: {error}") from error
    click.echo(f"{written} is a distribution with the {kind} plugin {name!r}. Next, in an environment of its own:")
    click.echo()
    click.echo(f"    cd {written}")
    click.echo("    pip install --group test -e .     # pip 25.1 or newer")
    click.echo(f"    {_NEXT_STEPS[distribution.kind]}")
    click.echo("    huey doctor                       # shows it among the plugins")
    click.echo("    tox run                           # tests on every Python, lint, types")
    click.echo()
    click.echo("Choose a licence in LICENSE before you publish it.")
