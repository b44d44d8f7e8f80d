"""The pytest plugin, which pytest finds by its entry point, ``huey_testing``.

For authors of backends, it runs the conformance kit against a URL::

    pytest --huey-url mydb://localhost/ --pyargs huey_testing.conformance

and reports which capabilities are kept, there and in a plugin's own tests that subclass the kit. For developers of
applications it has fixtures that need no server. ``docs/testing.md`` shows both.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from huey_core.backends import BackendURL
from huey_core.exceptions import QueueException
from huey_core.plugins import open_backend
from huey_testing.report import ConformanceReport, tag_promise

# pytest finds the hooks by their names; nobody else uses anything here.
__all__: list[str] = []

pytest_plugins = ("huey_testing.fixtures",)

BY_URL: Final = Path(__file__).with_name("conformance") / "by_url.py"

HOW: Final = "pytest --huey-url SCHEME://... --pyargs huey_testing.conformance"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("huey", "huey-core")
    group.addoption("--huey-url", metavar="URL", help=f"the backend that the conformance kit is run against: {HOW}")
    group.addoption("--huey-report", metavar="FILE", help="the file for the conformance kit's report, in JSON")


def pytest_configure(config: pytest.Config) -> None:
    """Begin the report. A URL that cannot be read ends the run before any test could show it."""
    url = config.getoption("huey_url", None)
    try:
        shown = None if url is None else BackendURL.parse(url).render()
    except QueueException as error:
        raise pytest.UsageError(f"--huey-url: {error}") from None
    config.pluginmanager.register(_Session(config, shown), "huey_testing.session")


class _Session:
    """The hooks that share the report of one run."""

    def __init__(self, config: pytest.Config, url: str | None) -> None:
        self._config = config
        self._url = url
        file = config.getoption("huey_report", None)
        # As seen from where the run was started, wherever the tests may go.
        self._file = None if file is None else Path(file).absolute()
        self._report = ConformanceReport(url)
        self._lacks_url = False

    def pytest_sessionstart(self) -> None:
        """Refuse a URL that no installed backend takes. Nothing connects by that."""
        if self._url is not None:
            try:
                open_backend(self._config.getoption("huey_url", None)).close()
            except QueueException as error:
                raise pytest.UsageError(f"--huey-url: {error}") from None

    def pytest_report_header(self) -> str | None:
        """Say which backend is tested."""
        return None if self._url is None else f"huey-url: {self._url}"

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Module | None:
        """Collect the kit's classes that are bound to a URL, when there is one."""
        if file_path != BY_URL:
            return None
        if self._url is None:
            self._lacks_url = True
            return None
        module: pytest.Module = pytest.Module.from_parent(parent, path=file_path)
        return module

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Note on a test of the kit what it is about."""
        tag_promise(item)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what became of a test."""
        self._report.add(report)

    def pytest_sessionfinish(self) -> None:
        """Write the report, unless this is a process of pytest-xdist that runs a part of the tests."""
        if self._file is not None and not hasattr(self._config, "workerinput"):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(json.dumps(self._report.as_json(), indent=2) + "\n")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table, or how to have one."""
        if self._lacks_url:
            terminalreporter.section("huey-core")
            terminalreporter.line(f"the conformance kit needs to know what to test: {HOW}")
        if self._report:
            terminalreporter.section(f"conformance of {self._url}" if self._url else "conformance")
            for line, result in self._report.lines():
                terminalreporter.write_line(line, red=result == "broken", green=result == "kept")
