"""The pytest plugin: the kit by URL, its report, and the fixtures for applications."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "testing.md"
KIT = ("--pyargs", "huey_testing.conformance")

OWN_TESTS = """
    from huey_testing.conformance import QueueConformance
    from kit import ByAClockThatMoves
    from broken_queues import {cls}

    class TestOwn(ByAClockThatMoves, QueueConformance):
        queue_class = {cls}
"""

PLAIN = """
    from huey_testing.conformance import QueueConformance
    import pytest
    from plain import PlainQueue

    class TestPlain(QueueConformance):
        @pytest.fixture
        def make_queue(self):
            return PlainQueue
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Run pytest with the plugin, in a folder of this test's own."""
    monkeypatch.syspath_prepend(HERE)

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)

    return run


@pytest.fixture
def report(pytester, run):
    """Run pytest with the plugin and return the capabilities of its report."""

    def report(*arguments: str):
        run("--huey-report", "report.json", *arguments)
        return json.loads((pytester.path / "report.json").read_text())

    return report


class TestByURL:
    def test_the_kit_runs_against_an_installed_backend(self, run):
        result = run("--huey-url", "memory://by-url/", *KIT, "-k", "TestDataStore or idempotent or max_deliveries")

        outcomes = result.parseoutcomes()
        assert outcomes["passed"] > 50
        assert set(outcomes) <= {"passed", "deselected", "skipped"}

    def test_options_of_the_url_are_those_of_every_queue(self, run):
        url = "memory://by-url/?max_deliveries=9"

        result = run("--huey-url", url, *KIT, "-k", "TestQueue and buried")

        assert set(result.parseoutcomes()) <= {"passed", "deselected"}

    def test_without_a_url_nothing_is_collected_and_the_run_says_how(self, run):
        result = run(*KIT)

        assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
        result.stdout.fnmatch_lines(["*needs to know what to test: pytest --huey-url *"])

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("memroy://", "*'memroy'*'memory'*"),
            ("memory://x/?quue=a", "*has no option 'quue'; did you mean 'queue'*"),
            ("redis://:sesame@h#", "*contains a '#'*"),
        ],
    )
    def test_a_url_that_cannot_be_used_ends_the_run(self, run, url, said):
        result = run("--huey-url", url, *KIT)

        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: --huey-url: {said}"])
        assert "sesame" not in result.stderr.str()

    def test_a_password_is_not_shown_by_a_test_that_fails(self, run):
        # Nobody listens on this port, so that the test fails deep in the driver, with the URL among its arguments.
        result = run("--huey-url", "redis://:open-sesame@127.0.0.1:1/", *KIT, "-k", "from_one_backend_to_another")

        assert result.parseoutcomes()["failed"] == 1
        result.stdout.fnmatch_lines(
            ["huey-url: redis://:[*][*][*]@127.0.0.1:1/", "url = 'redis://:[*][*][*]@127.0.0.1:1/'*"]
        )
        assert "sesame" not in result.stdout.str() + result.stderr.str()


class TestReport:
    def test_a_capability_is_kept_broken_or_not_declared(self, pytester, report):
        pytester.makepyfile(OWN_TESTS.format(cls="DeliversEarly"))

        found = report("-k", "early or pause or in_turn or read")["capabilities"]

        assert found["delay"]["result"] == "broken"
        assert found["pause"]["result"] == "kept"
        assert found["persistent"]["result"] == "not declared"

    def test_what_is_not_declared_is_told_from_what_was_not_tested(self, pytester, report):
        pytester.makepyfile(PLAIN)

        found = report()["capabilities"]

        assert {name for name, row in found.items() if row["result"] == "kept"} == {"contract"}
        assert found["delay"]["result"] == "not declared"
        assert found["locks"]["result"] == "not tested"

    def test_every_test_is_counted_and_every_broken_promise_is_named(self, pytester, report):
        pytester.makepyfile(OWN_TESTS.format(cls="DeliversEarly"))

        delay = report("-k", "early or pause or in_turn or read")["capabilities"]["delay"]

        assert delay["passed"] > 0
        assert delay["failed"] == len(delay["failures"]) > 0
        assert delay["failures"][0]["promise"].startswith("Without this, ")
        assert "::TestOwn::test_" in delay["failures"][0]["test"]

    def test_a_test_that_cannot_start_is_a_broken_promise(self, pytester, report):
        pytester.makepyfile("from huey_testing.conformance import QueueConformance as TestNothing")

        contract = report("-k", "test_an_empty_queue_reads_as_none")["capabilities"]["contract"]

        assert (contract["result"], contract["failed"]) == ("broken", 1)

    def test_the_report_names_the_backend_without_its_password(self, report):
        written = report("--huey-url", "redis://:open-sesame@127.0.0.1:1/", *KIT, "-k", "no_such_test")

        assert (written["format"], written["url"]) == (1, "redis://:***@127.0.0.1:1/")

    def test_the_summary_shows_the_table(self, pytester, run):
        pytester.makepyfile(OWN_TESTS.format(cls="DeliversEarly"))

        result = run("-k", "early or pause or in_turn or read")

        result.stdout.re_match_lines(
            [
                r"=+ conformance =+",
                r" +passed +failed +skipped",
                r"contract +kept +\d+ +0 +0",
                r"delay +broken +\d+ +\d+ +0",
                r"    TestOwn::test_\w+: Without this, ",
            ]
        )

    def test_a_run_without_the_kit_has_no_table(self, pytester, run):
        pytester.makepyfile("def test_nothing(): pass")

        assert "conformance" not in run().stdout.str()


class TestFixtures:
    def test_the_example_of_the_documentation_passes(self, pytester, run):
        files = re.findall(r"`(\w+\.py)`:\n\n```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
        for name, text in files:
            (pytester.path / name).write_text(text)

        outcomes = run("-W", "error").parseoutcomes()

        assert set(outcomes) == {"passed"}
        assert outcomes["passed"] >= 6

    def test_an_invoker_is_redirected_until_the_end_of_the_test(self, pytester, run):
        pytester.makepyfile(
            """
            from huey_core import Invoker

            invoker = Invoker("memory://server/")
            own_queue = invoker.queue

            def test_redirected(huey_redirect):
                assert huey_redirect(invoker) is invoker
                assert invoker.queue is not own_queue

            def test_afterwards():
                assert invoker.queue is own_queue
            """
        )

        run().assert_outcomes(passed=2)

    def test_every_fixture_is_documented_and_has_a_line_of_help(self, run):
        shown = run("--fixtures").stdout.str()
        fixtures = re.findall(r"^(\w+) -- \S+testing/fixtures\.py:\d+\n    (\S.*)$", shown, re.MULTILINE)

        assert len(fixtures) >= 7
        for name, _ in fixtures:
            assert f"| `{name}` |" in PAGE.read_text()
