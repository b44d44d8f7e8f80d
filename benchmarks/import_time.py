"""Compare what an application waits for: ``import huey_core`` against ``import huey``, in fresh processes in turns.

    python benchmarks/import_time.py [--rounds 40] [--json FILE]

Each process imports one package and says how long that took; interpreter start-up is not part of it. ``huey`` imports
the client library of Redis where it is installed, so it is measured with it, as in ordinary use, and without.
``huey_core`` must not be slower than ``huey`` in ordinary use.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Final

MEASURE: Final = """
import sys, time
{before}
began = time.perf_counter()
import {package}
print(time.perf_counter() - began, len(sys.modules))
"""

CASES: Final = {
    "huey_core": MEASURE.format(package="huey_core", before=""),
    "huey": MEASURE.format(package="huey", before=""),
    "huey without redis": MEASURE.format(package="huey", before="sys.modules['redis'] = None"),
}


def main() -> None:
    """Measure, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="how often each import is measured (default 40)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to this file, too")
    arguments = parser.parse_args()

    seconds: dict[str, list[float]] = {name: [] for name in CASES}
    modules: dict[str, int] = {}
    for _ in range(arguments.rounds):
        for name, program in CASES.items():
            took, modules[name] = run(program)
            seconds[name].append(took)

    ours = seconds["huey_core"]
    summary: dict[str, dict[str, float]] = {}
    print(f"{'':20}{'median ms':>10}{'least ms':>10}{'modules':>10}   huey_core takes this share of it")
    for name, values in seconds.items():
        share = statistics.median(our / other for our, other in zip(ours, values, strict=True))
        median, least = statistics.median(values) * 1000, min(values) * 1000
        summary[name] = {"median_ms": median, "least_ms": least, "modules": modules[name], "share": share}
        print(f"{name:20}{median:>10.1f}{least:>10.1f}{modules[name]:>10}   {share:.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(summary, indent=2) + "\n")


def run(program: str) -> tuple[float, int]:
    """Run one program in a fresh interpreter; return the seconds and the number of modules that it printed."""
    # Nothing of the current directory or the environment may get in the way of what is installed.
    output = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True).stdout
    took, modules = output.split()
    return float(took), int(modules)


if __name__ == "__main__":
    main()
