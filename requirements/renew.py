"""Renews the pinned versions beside this file, with which the tests, lint, types and the demonstration run.

Run it as ``tox run -e lock``. What is pinned is read from the ``pyproject.toml`` of each distribution, and resolved by
uv for all supported Pythons together:

* ``locked.txt``: the newest of everything but Django;
* ``django52.txt`` and so on: the newest of each series of Django that is supported;
* ``oldest.txt``: for Python 3.11, the lowest version that our metadata allows of each distribution that users install,
  and the locked test tools.

Each is a constraints file: it says which version is installed of what something else asks for.
"""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
HEADER: Final = "# Renewed by: tox run -e lock\n"
OLDEST_PYTHON: Final = "3.11"
NEWEST_PYTHON: Final = "3.14"
DJANGO_SERIES: Final = ("5.2", "6.0", "6.1")


def read_projects() -> list[dict[str, Any]]:
    """The ``pyproject.toml`` of the core and of each plugin."""
    paths = [ROOT / "pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml"))]
    return [tomllib.loads(path.read_text()) for path in paths]


def installed_by_users(projects: list[dict[str, Any]]) -> list[Requirement]:
    """What our distributions need of others."""
    needed = [Requirement(text) for each in projects for text in each["project"]["dependencies"]]
    return [each for each in needed if not each.name.startswith("huey-")]


def needed_by_tests(projects: list[dict[str, Any]], *left_out: str) -> list[Requirement]:
    """What the dependency groups name, but for the groups that are left out."""
    groups = {name: group for each in projects for name, group in each.get("dependency-groups", {}).items()}
    texts = [one for name, group in groups.items() if name not in left_out for one in group if isinstance(one, str)]
    return [Requirement(text) for text in texts]


def lowest(requirement: Requirement) -> str:
    """Pin a requirement to its lower bound."""
    (bound,) = [each.version for each in requirement.specifier if each.operator == ">="]
    marker = f"; {requirement.marker}" if requirement.marker else ""
    return f"{requirement.name}=={bound}{marker}"


def resolve(requirements: list[str], *options: str, python: str = OLDEST_PYTHON) -> str:
    """Let uv choose versions, and return them as a constraints file."""
    command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-emit-index-url"]
    ended = subprocess.run(
        [*command, "--python-version", python, *options, "-"],
        input="\n".join(requirements),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return ended.stdout


def write(name: str, text: str) -> None:
    """Write one of the files."""
    (HERE / name).write_text(HEADER + text)
    print(f"{name}: {text.count('==')} versions")


def main() -> None:
    """Renew every file."""
    projects = read_projects()
    theirs = installed_by_users(projects)
    everything = [str(each) for each in [*theirs, *needed_by_tests(projects)]]
    newest = resolve(everything, "--universal", "--no-emit-package", "django")
    write("locked.txt", newest)
    for series in DJANGO_SERIES:
        pinned = resolve([f"django=={series}.*"], "--no-deps", python=NEWEST_PYTHON)
        write(f"django{series.replace('.', '')}.txt", pinned)

    names = {canonicalize_name(each.name) for each in theirs}
    tools = [line for line in newest.splitlines() if canonicalize_name(line.partition("==")[0]) not in names]
    with NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(tools))
        constraints.flush()
        needed = needed_by_tests(projects, "bench", "browser", "build", "lint", "lock", "redis62-server", "types")
        oldest = [*map(lowest, theirs), *map(str, needed)]
        write("oldest.txt", resolve(oldest, "--constraint", constraints.name))


if __name__ == "__main__":
    main()
