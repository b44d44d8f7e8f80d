"""The ``huey`` command line. Each subcommand is a module, imported when it is used."""

from __future__ import annotations

__all__ = ["consumer_main", "main"]


def main(prog_name: str = "huey") -> None:
    """Run the command line on the arguments of the process, and exit. This is the script ``huey``."""
    from huey_core.cli.group import huey

    huey.main(prog_name=prog_name)


def consumer_main() -> None:
    """Run ``huey consumer`` under its old name, and exit. This is the script ``huey_consumer``."""
    from huey_core.cli.group import run_alone

    run_alone("consumer", prog_name="huey_consumer")
