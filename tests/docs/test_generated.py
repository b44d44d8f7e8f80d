"""What is generated is what the generator makes today, of hook specifications and reports that say all there is to say.

A test that fails says how to renew what it compares.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
import tomllib
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from huey_core import hookspecs
from huey_core.backends.capabilities import Capability
from huey_core.plugins.backends import backend_class

ROOT = Path(__file__).parents[2]


def load_generator() -> ModuleType:
    """Import ``docs/generate.py``, which is no module of a package."""
    specification = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


generate = load_generator()
REPORTS = generate.read_reports()
ALL_HOOKS = generate.hooks()

each_hook = pytest.mark.parametrize("hook", ALL_HOOKS, ids=[hook.name for hook in ALL_HOOKS])
each_report = pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS.keys())


@pytest.mark.parametrize("path", generate.TARGETS, ids=lambda path: path.name)
def test_the_committed_text_is_what_the_generator_makes(path):
    # Compared first: pytest would show how a long text differs, and not what to do.
    is_current = path.read_text() == generate.TARGETS[path]()
    assert is_current, f"{path.relative_to(ROOT)} is not what its sources say; renew it with: {generate.COMMAND}"


@each_hook
def test_no_word_of_a_specification_is_lost(hook):
    specified = inspect.cleandoc(getattr(hookspecs, hook.name).__doc__)
    titles = re.compile(r"^(Errors|Args|Returns):", re.MULTILINE)

    lost = words(titles.sub("", specified)) - words(generate._section(hook))

    assert not lost


def words(text):
    """The words of a text, each as often as it is there, without the marks of a docstring or of a page."""
    return Counter(re.findall(r"\w+", generate._markdown(text)))


def test_the_generator_renews_what_differs_and_says_so(tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text("old")
    monkeypatch.setattr(generate, "DOCS", tmp_path / "docs")
    monkeypatch.setattr(generate, "TARGETS", {page: lambda: "new"})

    generate.main([])
    generate.main([])

    assert page.read_text() == "new"
    assert capsys.readouterr().out == "page.md is renewed\n"


class TestHooks:
    def test_every_hook_is_in_the_reference(self, read_page):
        assert read_page("plugins/hooks-reference.md").anchors() >= set(hookspecs.names())

    @each_hook
    def test_a_hook_says_what_it_is_for_when_it_is_called_and_in_which_process_and_thread(self, hook):
        assert re.fullmatch(r"Called (when|before|after) .+\.", hook.summary)
        assert {"When", "Process", "Thread"} <= set(hook.labels)

    @each_hook
    def test_a_hook_says_what_a_slow_implementation_means(self, hook):
        assert re.fullmatch(r"[A-Z][^A-Z.]+ [^.]+\.", hook.slow)

    @each_hook
    def test_a_control_hook_says_what_an_exception_does_and_an_observer_need_not(self, hook):
        assert ("Errors" in hook.labels) is (hook.name not in hookspecs.OBSERVERS)

    @each_hook
    def test_every_parameter_is_explained(self, hook):
        assert list(hook.arguments) == list(inspect.signature(getattr(hookspecs, hook.name)).parameters)
        assert all(hook.arguments.values())

    @each_hook
    def test_a_hook_that_returns_something_says_what(self, hook):
        assert bool(hook.returns) is not hook.signature.endswith("-> None")

    @each_hook
    def test_nothing_is_left_of_the_marks_of_a_docstring(self, hook):
        texts = [hook.summary, *hook.more, *hook.labels.values(), *hook.arguments.values(), hook.returns]

        assert [text for text in texts if re.search(r"``|:\w+:`", text)] == []

    def test_the_guide_shows_no_hook_that_does_not_exist(self, read_page):
        named = set(re.findall(r"\bhuey_[a-z_]+(?=\()", read_page("plugins/hooks.md").text))

        assert named
        assert {name.removesuffix(hookspecs.TWIN) for name in named} <= set(hookspecs.names())


class TestReports:
    @each_report
    def test_a_report_declares_what_its_backend_declares_today(self, report):
        declared = {name for name, row in report["capabilities"].items() if row["declared"]} - {"contract"}
        today = {capability.value for capability in backend_class(report["backend"]["scheme"]).capabilities}

        assert declared == today, f"the report is out of date; renew it with: {generate.COMMAND} -- --run-kit"

    @each_report
    def test_a_report_has_every_capability_in_its_words_of_today(self, report):
        told = {name: row["description"] for name, row in report["capabilities"].items()}
        today = {capability.value: capability.description for capability in Capability}

        assert told == {"contract": told["contract"], **today}

    @each_report
    def test_what_is_declared_is_kept(self, report):
        results = {row["result"] for row in report["capabilities"].values() if row["declared"]}

        assert results == {"kept"}

    @each_report
    def test_a_report_says_which_versions_it_is_of_and_nothing_of_the_machine(self, report):
        assert re.fullmatch(r"huey-\w+ \d+\.\d+\.\d+\S*", report["backend"]["plugin"])
        assert re.fullmatch(r"[\w+]+://", report["url"])

    @each_report
    def test_every_key_of_a_report_is_explained(self, report, read_page):
        explained = read_page("testing.md").rows("Test a backend")
        keys = {*report, *(key for row in report["capabilities"].values() for key in row)}

        assert keys <= set(explained)

    def test_every_backend_of_this_repository_has_a_report(self):
        projects = [tomllib.loads(path.read_text())["project"] for path in ROOT.glob("plugins/*/pyproject.toml")]
        backends = [each["name"] for each in projects if "huey_core.backends" in each.get("entry-points", {})]

        assert {f"huey-{name}" for name in REPORTS} == set(backends)
