"""Every public name of the original API works under its old name, or a page says what to write instead.

``seed/names.tsv`` lists the names, in all releases from 0.1.1 to 0.3.2, with the arguments that they took.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"

# Which huey_django serves, and the tests of that test.
DJANGO = "huey.djhuey"

# Answers "works", or why not, for each of the rows on its standard input.
LOOK = """
import importlib, inspect, json, sys
import huey_core

huey_core.install_as_huey()
from huey.backends.redis_backend import RedisDataStore, RedisQueue
from huey_memory import MemoryDataStore, MemoryQueue

invoker = huey_core.Invoker(MemoryQueue("x"), MemoryDataStore("x"), MemoryDataStore("state"))
function = huey_core.queue_command(invoker, name="any")(lambda: None)
SAMPLES = {
    "AsyncData": huey_core.AsyncData(invoker, "x"),
    "BaseDataStore": invoker.result_store,
    "BaseQueue": invoker.queue,
    "Invoker": invoker,
    "QueueCommand": function.command(),
    "RedisDataStore": RedisDataStore("x"),
    "RedisQueue": RedisQueue("x"),
    "function": function,
}


def find(module, name):
    found = importlib.import_module(module)
    owner, _, attribute = name.rpartition(".")
    if attribute:
        found = getattr(SAMPLES[owner] if owner in SAMPLES else getattr(found, owner) if owner else found, attribute)
    return found


def takes(found, signature):
    given = inspect.signature(found).parameters.values()
    ours = [each.name for each in given if each.kind is not each.KEYWORD_ONLY and each.name != "self"]
    theirs = [each.partition("=")[0].lstrip("*") for each in signature.strip("()").split(", ") if each != ""]
    return ours[: len(theirs)] == theirs


answers = []
for module, name, signature, _ in json.load(sys.stdin):
    try:
        found = find(module, name)
        answers.append("works" if not signature or takes(found, signature) else "takes other arguments")
    except (ImportError, AttributeError) as error:
        answers.append(str(error))
json.dump(answers, sys.stdout)
"""


def names(*, of_django: bool) -> list[list[str]]:
    lines = (HERE / "seed" / "names.tsv").read_text().splitlines()
    rows = csv.reader((line for line in lines if not line.startswith("#")), delimiter="\t")
    return [row for row in rows if row[0].startswith(DJANGO) == of_django]


def documented(page: str) -> set[str]:
    """What a page has as code, without arguments."""
    spans = re.findall(r"`([^`\n]+)`", (DOCS / page).read_text())
    return {re.sub(r"\(.*\)$", "", span) for span in spans}


@pytest.fixture(scope="module")
def answers() -> list[tuple[list[str], str]]:
    """Each name with how it fares under the alias."""
    rows = names(of_django=False)
    command = [sys.executable, "-W", "error", "-c", LOOK]
    done = subprocess.run(command, input=json.dumps(rows), capture_output=True, text=True, timeout=60, check=True)
    return list(zip(rows, json.loads(done.stdout), strict=True))


def is_said(name: str, said: set[str]) -> bool:
    return bool({name, f"{name.partition('.')[0]}.*"} & said)


def test_a_name_that_does_not_work_as_it_did_is_documented(answers):
    said = documented("migrating.md")
    missing = {row[0] for row, answer in answers if not row[1] and answer != "works"}

    unsaid = [
        (*row, answer)
        for row, answer in answers
        if answer != "works" and not is_said(row[1] if row[0] not in missing else row[0], said)
    ]

    assert unsaid == []


def test_a_module_that_is_not_there_says_what_to_use_instead(answers):
    missing = {row[0]: answer for row, answer in answers if not row[1] and answer != "works"}

    assert missing
    for module, error in missing.items():
        assert error.startswith(f"{module} of the original API is not there: ")


def test_what_programs_are_made_of_works(answers):
    works = {row[1] for row, answer in answers if answer == "works"}

    assert {
        *{"AsyncData.get", "BaseConfiguration", "Consumer", "EmptyData", "Invoker", "Invoker.enqueue", "QueueCommand"},
        *{"RedisBlockingQueue", "RedisDataStore", "RedisQueue", "crontab", "periodic_command", "queue_command"},
    } <= works


def test_the_names_of_the_django_part_are_documented():
    said = documented("django/migrating-from-the-original.md")

    assert [row for row in names(of_django=True) if not is_said(row[1] or row[0], said)] == []
