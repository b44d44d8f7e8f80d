"""``python -m huey_core`` is the ``huey`` command line."""

from __future__ import annotations

from huey_core.cli import main

if __name__ == "__main__":
    main(prog_name="python -m huey_core")
