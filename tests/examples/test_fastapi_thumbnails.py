"""The thumbnails of examples/fastapi_thumbnails: as they are deployed, and as an application tests itself."""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import re
from contextlib import ExitStack

import httpx
import pytest
from PIL import Image

from web_program import EXAMPLES, Programs


def picture(width=640, height=320, kind="JPEG"):
    """A picture, as a browser sends it."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), "green").save(file, kind)
    return {"picture": ("picture.jpg", file.getvalue(), "image/jpeg")}


def size_of(image):
    """The width and height of an image."""
    return Image.open(io.BytesIO(image)).size


def events_of(text):
    """The names and the data of server-sent events."""
    return [(name, json.loads(data)) for name, data in re.findall(r"event: (\w+)\ndata: (.*)\n\n", text)]


class TestDeployed:
    @pytest.fixture
    def deploy(self, tmp_path):
        """Start a web server and a consumer, with a queue at a URL, and return a browser."""
        with ExitStack() as until_the_end:

            def deploy(url):
                environment = {"HUEY_URL": url, "THUMBNAILS_FOLDER": str(tmp_path / "pictures")}
                programs = until_the_end.enter_context(Programs(tmp_path, **environment))
                programs.start("huey_core", "consumer", "fastapi_thumbnails.commands.Configuration", until=" ready\n")
                words = ["uvicorn", "fastapi_thumbnails.app:app", "--port", "0"]
                printed = programs.start(*words, until="Uvicorn running")
                [address] = re.findall(r"http://127\.0\.0\.1:\d+", printed)
                return until_the_end.enter_context(httpx.Client(base_url=address, timeout=60))

            yield deploy

    @pytest.mark.parametrize("place", ["sqlite", "redis"])
    def test_an_uploaded_picture_has_its_thumbnails_when_the_events_say_so(self, deploy, place, server, tmp_path):
        browser = deploy("" if place == "sqlite" else server.url(queue=tmp_path.name))

        uploaded = browser.post("/thumbnails", files=picture())
        assert uploaded.status_code == 202
        call = uploaded.json()

        *progress, last = events_of(browser.get(call["events"]).text)

        assert last == ("made", {})
        assert {name for name, _ in progress} == {"progress"}
        assert {data["total"] for _, data in progress} == {4}
        assert [data["done"] for _, data in progress] == sorted({data["done"] for _, data in progress})
        made = browser.get(call["url"]).json()
        assert made["status"] == "succeeded"
        sizes = [size_of(browser.get(url).content) for url in made["thumbnails"]]
        assert sizes == [(64, 32), (128, 64), (256, 128), (512, 256)]

    def test_what_is_no_picture_has_failed_and_says_why(self, deploy):
        browser = deploy("")

        call = browser.post("/thumbnails", files={"picture": ("notes.txt", b"no picture", "text/plain")}).json()

        *_, last = events_of(browser.get(call["events"]).text)

        assert last == ("failed", {})
        answer = browser.get(call["url"])
        assert answer.status_code == 422
        assert answer.json() == {"status": "dead", "error": "this is no picture that can be read"}


class TestWithoutAServer:
    @pytest.fixture
    def application(self, tmp_path, monkeypatch, huey_redirect):
        """The application in this process, with its queue in memory."""
        monkeypatch.syspath_prepend(EXAMPLES)
        monkeypatch.setenv("THUMBNAILS_FOLDER", str(tmp_path))
        monkeypatch.setenv("HUEY_URL", "memory://")
        application = importlib.import_module("fastapi_thumbnails.app")
        monkeypatch.setattr(application, "FOLDER", tmp_path)
        monkeypatch.setattr(importlib.import_module("fastapi_thumbnails.commands"), "FOLDER", tmp_path)
        huey_redirect(application.invoker)
        return application

    @pytest.fixture
    def ask(self, application):
        """Send the application a request, as a browser does."""

        def ask(method, url, **content):
            async def send():
                transport = httpx.ASGITransport(application.app)
                async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                    return await client.request(method, url, **content)

            return asyncio.run(send())

        return ask

    def test_the_page_is_shown(self, ask):
        assert "Make thumbnails" in ask("GET", "/").text

    def test_a_call_that_has_not_ended_says_so_until_it_has(self, ask, run_until_idle):
        call = ask("POST", "/thumbnails", files=picture()).json()
        before = ask("GET", call["url"])

        run_until_idle()

        assert (before.status_code, before.json()) == (202, {"status": "ready"})
        assert ask("GET", call["url"]).status_code == 200

    def test_a_picture_is_named_and_not_carried_by_its_command(self, ask, application, huey_recorder):
        ask("POST", "/thumbnails", files=picture())

        [command] = huey_recorder.commands
        [name] = command.data[0]
        assert size_of((application.FOLDER / name).read_bytes()) == (640, 320)

    def test_a_picture_that_is_too_large_is_refused(self, ask, application, monkeypatch, huey_recorder):
        monkeypatch.setattr(application, "LARGEST_UPLOAD", 100)

        assert ask("POST", "/thumbnails", files=picture()).status_code == 413
        assert huey_recorder.commands == []

    @pytest.mark.parametrize("url", ["/thumbnails/unknown", "/thumbnails/unknown/events", "/files/queue.sqlite3"])
    def test_what_is_not_there_is_not_found(self, ask, url):
        assert ask("GET", url).status_code == 404
