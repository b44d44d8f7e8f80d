"""The reports of examples/flask_reports: as they are deployed, and as an application tests itself."""

from __future__ import annotations

import importlib
import re

import httpx
import pytest

from web_program import EXAMPLES, Programs

OF_2026 = {"2026-01": "252.90", "2026-03": "31.41"}


def test_a_report_that_was_ordered_is_fetched_when_it_is_made(server, tmp_path, eventually):
    with Programs(tmp_path, HUEY_URL=server.url(queue=tmp_path.name)) as programs:
        programs.start("huey_core", "consumer", "flask_reports.consumer.Configuration", until=" ready\n")
        printed = programs.start("flask", "--app", "flask_reports", "run", "--port", "0", until="Running on")
        [address] = re.findall(r"Running on (http://127\.0\.0\.1:\d+)", printed)
        with httpx.Client(base_url=address, timeout=60) as browser:
            ordered = browser.post("/reports", json={"year": 2026})
            assert ordered.status_code == 202
            url = ordered.json()["url"]

            eventually(lambda: browser.get(url).status_code != 202, "the report is made")

            assert browser.get(url).json() == {"status": "succeeded", "totals": OF_2026}


class TestWithoutAServer:
    @pytest.fixture
    def make_app(self, monkeypatch, huey_redirect):
        """Make the application in this process, with its queue in memory."""
        monkeypatch.syspath_prepend(EXAMPLES)

        def make(**config):
            app = importlib.import_module("flask_reports").create_app(HUEY_URL="memory://", **config)
            huey_redirect(app.extensions["huey"])
            return app

        return make

    @pytest.fixture
    def browser(self, make_app):
        return make_app().test_client()

    def test_a_report_is_on_its_way_until_it_is_made(self, browser, run_until_idle):
        url = browser.post("/reports", json={"year": 2026}).json["url"]
        before = browser.get(url)

        run_until_idle()

        assert (before.status_code, before.json) == (202, {"status": "ready"})
        assert before.headers["Retry-After"] == "1"
        assert browser.get(url).json == {"status": "succeeded", "totals": OF_2026}

    def test_a_year_without_orders_has_an_empty_report(self, browser, run_until_idle):
        url = browser.post("/reports", json={"year": 1999}).json["url"]

        run_until_idle()

        assert browser.get(url).json["totals"] == {}

    def test_an_order_that_is_repeated_is_the_same_call(self, browser, huey_recorder):
        urls = {browser.post("/reports", json={"year": 2026}).json["url"] for _ in range(3)}

        assert len(urls) == 1
        assert len(huey_recorder.commands) == 1

    def test_a_report_that_cannot_be_made_says_why(self, make_app, tmp_path, run_until_idle):
        browser = make_app(ORDERS=tmp_path / "missing.csv").test_client()
        url = browser.post("/reports", json={"year": 2026}).json["url"]

        run_until_idle(over=60, raises=False)

        answer = browser.get(url)
        assert (answer.status_code, answer.json["status"]) == (500, "dead")
        assert "missing.csv" in answer.json["error"]

    @pytest.mark.parametrize("asked", [{}, {"year": "2026"}, {"year": True}])
    def test_an_order_without_a_year_is_refused(self, browser, asked, huey_recorder):
        assert browser.post("/reports", json=asked).status_code == 400
        assert huey_recorder.commands == []

    def test_a_report_that_nobody_ordered_is_not_found(self, browser):
        assert browser.get("/reports/unknown").status_code == 404
