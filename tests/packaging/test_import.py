"""What ``import huey_core`` costs: nothing but what every program needs that enqueues a command."""

from __future__ import annotations

import subprocess
import sys

import pytest

NOT_NEEDED = [
    "asyncio",
    "click",
    "hiredis",
    "hypothesis",
    "huey_memory",
    "huey_mongo",
    "huey_msgpack",
    "huey_redis",
    "huey_sqlite",
    "huey_testing",
    "huey_zstd",
    "importlib_metadata",
    "msgspec",
    "pickle",
    "pymongo",
    "pytest",
    "redis",
]


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """The packages that importing huey_core imports, or tries to."""
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import huey_core"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    names = [line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()]
    return {name.partition(".")[0] for name in names}


def test_the_list_of_imports_is_read_rightly(imported):
    assert {"huey_core", "pluggy", "json"} <= imported


@pytest.mark.parametrize("name", NOT_NEEDED)
def test_importing_huey_core_imports_no_backend_driver_or_heavy_library(imported, name):
    assert name not in imported
