"""Whoever can write to a queue decides what is in its messages; the pages stay readable and nothing of it is run."""

from __future__ import annotations

import os
from html import unescape

import pytest
from admin_shop import bury, list_url, message_url, send_mail
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huey_core.backends.outcomes import Bury
from wire import pack

SCRIPT = "<script>alert('x')</script>"


def write(queue, data, *, dead=False):
    message_id = queue.write(data).message_id
    if dead:
        queue.settle([Bury(queue.claim(1, 60.0).deliveries[0], "no")])
    return message_id


def main_of(response):
    assert response.status_code == 200
    return response.content.decode().partition("<main")[2]


def read(root, message_id):
    """The list of what is ready, and the page of a message."""
    return main_of(root.get(list_url("ready"))), main_of(root.get(message_url(message_id)))


def message(body=b"[[], {}]", **fields):
    return pack({"id": "1", "cmd": "shop.send_mail", "ser": "json", "at": 1.0, **fields}, body)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x00\xff", "the bytes are not a message of this format"),
        (b"", "the bytes are not a message of this format"),
        (b"HUEY/9 {}\n", "the message has format version 9; this version reads 1"),
        (b"HUEY/1 {\n", "the header of the message is not JSON"),
        (b"HUEY/1 []\n", "the header of the message is not a JSON object"),
        (message(ser="msgpack"), "written with the serializer 'msgpack', which is not accepted here"),
        (message(ser=["json"]), "the header's field 'ser' is of the wrong type"),
        (message(b"{"), "cannot be read"),
        (message(b'{"$": "tuple"}'), "cannot be read"),
        (message(b'["%s"]' % (b"x" * 300_000)), "too long to be shown here"),
    ],
)
def test_what_cannot_be_read_is_shown_with_the_reason(root, every_queue, data, reason):
    for page in read(root, write(every_queue, data)):
        assert reason in unescape(page)


def test_a_long_body_is_read_on_a_page_of_its_own_only(root, queue):
    listed, alone = read(root, write(queue, message(b'[["%s"], {}]' % (b"x" * 20_000))))
    assert "20,010 bytes, too long to be shown here" in listed
    assert "x" * 20_000 in alone


HOSTILE = [
    message(b'[["%s"], {"%s": "%s"}]' % ((SCRIPT.encode(),) * 3)),
    message(cmd=SCRIPT),
    message(ser=SCRIPT),
    message(hdr={SCRIPT: SCRIPT}, **{SCRIPT: SCRIPT}),
    message(at=SCRIPT, eta=SCRIPT, exp=SCRIPT, retries=SCRIPT, tries=SCRIPT, prio=SCRIPT, opts=SCRIPT),
]


@pytest.mark.parametrize("data", HOSTILE)
def test_markup_in_a_message_is_text(root, every_queue, data):
    for page in read(root, write(every_queue, data)):
        assert "<script" not in page


@pytest.mark.parametrize("action", ["delete", "retry"])
def test_markup_is_text_in_a_confirmation_and_in_the_log(root, queue, action):
    message_id = write(queue, message(b'[["%s"], {}]' % SCRIPT.encode(), cmd=SCRIPT), dead=True)
    data = {"action": action, "id": message_id}
    assert "<script>alert" not in root.post(list_url("dead"), data, follow=True).content.decode()
    assert (
        "<script>alert" not in root.post(list_url("dead"), {**data, "confirmed": "yes"}, follow=True).content.decode()
    )
    assert "<script>alert" not in root.get("/admin/").content.decode()


def test_markup_is_text_in_a_reason_and_in_a_traceback(root, queue):
    message_id = bury(reason=SCRIPT, detail=SCRIPT)
    assert "<script" not in main_of(root.get(list_url("dead")))
    assert "<script" not in main_of(root.get(message_url(message_id)))


def test_characters_that_reorder_text_are_shown_as_what_they_are(root, queue):
    listed, alone = read(
        root, write(queue, message(b'[["gnp.\\u202eexe", "\\ud800"], {"\\u202e": 1}]', cmd="a\u202eb"))
    )
    for page in (listed, alone):
        assert "\u202e" not in page
        assert "a\\u202eb" in page


class Planted:
    """What is in a pickle that somebody else has written."""

    def __reduce__(self):
        return os.mkdir, (os.environ["PLANTED"],)


def test_a_pickle_is_not_loaded_to_be_looked_at(root, url_of, tmp_path, monkeypatch):
    monkeypatch.setenv("PLANTED", str(tmp_path / "planted"))
    with override_settings(HUEY=url_of("memory"), HUEY_CONFIG={"SERIALIZER": "pickle"}):
        message_id = send_mail(Planted()).task_id
        for page in read(root, message_id):
            assert "written with 'pickle', which nothing signs" in unescape(page)
    assert not (tmp_path / "planted").exists()


def test_a_pickle_that_is_signed_is_shown(root, url_of, monkeypatch):
    monkeypatch.setenv("HUEY_SIGNING_KEYS", "k" * 32)
    with override_settings(HUEY=url_of("memory"), HUEY_CONFIG={"SERIALIZER": "pickle|signed"}):
        message_id = send_mail({1, 2}).task_id
        for page in read(root, message_id):
            assert "{1, 2}" in page


def test_a_pickle_of_another_key_is_not_loaded(root, url_of, tmp_path, monkeypatch):
    monkeypatch.setenv("PLANTED", str(tmp_path / "planted"))
    monkeypatch.setenv("HUEY_SIGNING_KEYS", "k" * 32)
    config = {"SERIALIZER": "pickle|signed"}
    with override_settings(HUEY=url_of("sqlite"), HUEY_CONFIG=config):
        message_id = send_mail(Planted()).task_id
    monkeypatch.setenv("HUEY_SIGNING_KEYS", "m" * 32)
    with override_settings(HUEY=url_of("sqlite"), HUEY_CONFIG=config):
        for page in read(root, message_id):
            assert "cannot be read" in page
    assert not (tmp_path / "planted").exists()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(["id", "cmd", "ser", "at", "eta", "exp", "retries", "tries", "prio", "opts", "hdr", "new"])
HEADERS = st.dictionaries(FIELDS, st.just("json") | JSON)


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
@given(data=st.binary() | st.builds(pack, HEADERS, st.binary() | st.just(b'[["a"], {"b": 1}]')))
def test_no_message_breaks_a_page(root, queue, data):
    queue.flush()
    for page in read(root, write(queue, data)):
        assert "</main>" in page
