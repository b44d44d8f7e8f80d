"""The examples of the original API's document run as they stand, read out of the document itself."""

from __future__ import annotations

import doctest
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from huey_core import AsyncData, Invoker

DOCUMENT = (Path(__file__).parent / "seed" / "api.rst").read_text()
ADDRESS = re.compile(r"0x[0-9a-f]+")


def code_blocks() -> list[str]:
    blocks = re.findall(r"^( *)\.\. code-block:: python\n *\n((?:\1 +\S.*\n| *\n)+)", DOCUMENT, re.MULTILINE)
    return [textwrap.dedent(block).strip() for _, block in blocks]


DEFINITION, WITHOUT_STORE, WITH_STORE, SCHEDULE = code_blocks()


def run_definition(invoker: Invoker, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    config = ModuleType("config")
    config.invoker = invoker  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "config", config)
    namespace: dict[str, Any] = {"__name__": "beans"}
    exec(DEFINITION.replace("from huey.", "from huey_core."), namespace)
    return namespace


def run_session(session: str, namespace: dict[str, Any], before_each: Callable[[], None] = lambda: None) -> None:
    for example in doctest.DocTestParser().get_examples(session):
        before_each()
        try:
            value = eval(example.source, namespace)
        except SyntaxError:
            exec(example.source, namespace)
            continue
        shown = "" if value is None else repr(value)
        assert ADDRESS.sub("0x0", shown).replace("huey_core.", "huey.") == ADDRESS.sub("0x0", example.want.strip())


def test_a_call_without_a_result_store_returns_none(make_invoker, monkeypatch):
    namespace = run_definition(make_invoker(results=False), monkeypatch)

    run_session(WITHOUT_STORE, namespace)


def test_a_call_with_a_result_store_returns_a_handle_on_its_result(invoker, run_consumer, eventually, monkeypatch):
    namespace = run_definition(invoker, monkeypatch)
    run_consumer(invoker)

    def wait_until_done() -> None:
        counts = invoker.queue.counts
        eventually(lambda: counts().ready + counts().running == 0, "the queue is empty")

    run_session(WITH_STORE, namespace, wait_until_done)


def test_a_call_can_be_scheduled(invoker, monkeypatch):
    namespace = run_definition(invoker, monkeypatch)

    exec(SCHEDULE, namespace)

    [message] = invoker.queue.peek("scheduled")
    in_an_hour = namespace["in_an_hour"].timestamp()
    assert message.due == pytest.approx(in_an_hour, abs=0.001)


def test_the_debug_mode_of_the_document_returns_the_functions_result(make_invoker, monkeypatch):
    namespace = run_definition(make_invoker(results=False, always_eager=True), monkeypatch)

    assert namespace["count_some_beans"](100) == "Counted 100 beans"


def test_the_debug_mode_returns_a_handle_where_there_is_a_result_store(make_invoker, monkeypatch):
    namespace = run_definition(make_invoker(always_eager=True), monkeypatch)

    result = namespace["count_some_beans"](100)

    assert isinstance(result, AsyncData)
    assert result.get() == "Counted 100 beans"
