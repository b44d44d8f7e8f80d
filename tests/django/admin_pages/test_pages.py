"""What the pages show, on every backend."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime
from html import unescape

import pytest
from admin_shop import OVERVIEW, bury, ids_in, list_url, message_url, schedule, send_mail
from django.test import override_settings
from django.utils import timezone

from deployment import await_condition
from huey_core.backends.messages import State
from huey_core.consumer import Consumer
from huey_core.features.heartbeat import ConsumerRecord
from huey_django import admin, get_invoker, queue_command


# The tests run in a transaction that is never committed.
@queue_command(name="shop.waiting", on_commit=False)
def waiting():
    waiting.go_on(120)


def text_of(response):
    """What can be read on a page, in one line."""
    main = response.content.decode().partition("<main")[2].replace("<wbr>", "")
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", main)).split())


def ids_on(response):
    """The ids of the messages in a list, in its order."""
    return re.findall(r'name="id" value="([^"]*)"', response.content.decode())


def test_the_overview_counts_what_is_in_each_state(root, every_queue):
    bury()
    bury()
    bury()
    schedule()
    schedule()
    send_mail("anna")
    every_queue.claim(1, 60.0)
    assert "0 Ready 2 Scheduled 1 Running 3 Dead" in text_of(root.get(OVERVIEW))


def test_the_overview_shows_the_consumers_that_are_alive(root, every_queue):
    consumer = Consumer(get_invoker(), threads=3, periodic=False)
    consumer.start()
    try:
        await_condition(lambda: consumer.name in text_of(root.get(OVERVIEW)), "the consumer is shown")
        assert f"{consumer.name} 0 of 3 0 " in text_of(root.get(OVERVIEW))
    finally:
        consumer.stop("the end of the test")


def test_the_overview_names_what_a_consumer_runs_with_links(root, every_queue):
    consumer = Consumer(get_invoker(), threads=3, periodic=False, lease=3.0)
    going_on = threading.Event()
    waiting.go_on = going_on.wait
    ids = {waiting().task_id, waiting().task_id}
    consumer.start()
    pages = []

    def both_are_named():
        pages.append(root.get(OVERVIEW).content.decode())
        return all(message_url(each) in pages[-1] for each in ids)

    try:
        await_condition(both_are_named, "both are named")
    finally:
        going_on.set()
        consumer.stop("the end of the test")
    running = pages[-1].partition('<ul class="huey-runs">')[2].partition("</ul>")[0]
    assert re.findall(r">([^<]+)</a>", running.replace("<wbr>", "")) == ["shop.waiting"] * 2


def test_the_overview_names_nothing_that_has_ended_since_a_consumer_said_so(root, queue):
    finished = send_mail("anna").task_id
    record = ConsumerRecord(name="host:1:a", workers=1, running=1, running_ids=(finished, "gone"))
    store = get_invoker().task_store
    store.put("consumers", b'{"host:1:a": 1}')
    store.put("consumer:host:1:a", record.encode())
    response = root.get(OVERVIEW)
    assert "host:1:a 1 of 1" in text_of(response)
    assert "huey-runs" not in response.content.decode()


def test_the_overview_warns_when_nobody_runs_what_is_ready(root, every_queue):
    assert "No consumer is alive." in text_of(root.get(OVERVIEW))
    send_mail("anna")
    assert "No consumer is alive, so nothing of this is run." in text_of(root.get(OVERVIEW))


def test_the_dead_are_listed_with_what_was_called_and_why_they_failed(root, every_queue):
    message_id = bury("anna@example.org", text="Hello", reason="ConnectionRefusedError: nobody is there")
    shown = text_of(root.get(list_url("dead")))
    row = f"shop.send_mail {message_id} 'anna@example.org', text='Hello' ConnectionRefusedError: nobody is there 0 1 "
    assert row in shown


def test_a_name_in_a_list_breaks_behind_dots_and_underscores_alone(root, queue):
    bury()
    assert ">shop.<wbr>send_<wbr>mail</a>" in root.get(list_url("dead")).content.decode()


def test_a_reason_is_short_in_a_list_and_whole_on_the_page_of_its_command(root, queue):
    message_id = bury(reason="ValueError: " + "x" * 500)
    assert f"ValueError: {'x' * 107}… 0 1 " in text_of(root.get(list_url("dead")))
    assert f"ValueError: {'x' * 500} " in text_of(root.get(message_url(message_id)))


def test_the_last_buried_comes_first_and_the_next_to_run_does(root, every_queue):
    send_mail("later")
    send_mail.using(priority=9)("first")
    for state in State:
        assert ids_on(root.get(list_url(state))) == ids_in(every_queue, state)


def test_what_is_scheduled_is_listed_with_the_time_when_it_is_due(root, every_queue):
    eta = datetime(2099, 7, 14, 12, 30, 15, tzinfo=UTC)
    send_mail.schedule(args=("anna",), eta=eta)
    shown = text_of(root.get(list_url("scheduled"))).replace("\xa0", " ")
    assert re.search(r"14 Jul 2099, 14:30:15 in \d+ years", shown)


def test_times_are_those_of_the_current_time_zone(root, queue):
    send_mail.schedule(args=("anna",), eta=datetime(2099, 7, 14, 12, 30, 15, tzinfo=UTC))
    with timezone.override("America/New_York"), override_settings(TIME_ZONE="America/New_York"):
        assert "14 Jul 2099, 08:30:15" in text_of(root.get(list_url("scheduled")))


def test_times_are_local_without_time_zones(root, queue):
    send_mail.schedule(args=("anna",), eta=datetime(2099, 7, 14, 12, 30, 15, tzinfo=UTC))
    with override_settings(USE_TZ=False):
        assert "14 Jul 2099, 14:30:15" in text_of(root.get(list_url("scheduled")))


def test_a_long_list_has_pages(root, every_queue):
    invoker = get_invoker()
    invoker.enqueue_many([send_mail.command(str(number)) for number in range(120)])
    expected = [message.message_id for message in every_queue.peek(State.READY, 0, 120)]
    assert ids_on(root.get(list_url("ready"))) == expected[:50]
    assert ids_on(root.get(list_url("ready") + "?page=2")) == expected[50:100]
    last = root.get(list_url("ready") + "?page=3")
    assert ids_on(last) == expected[100:]
    assert "101 to 120 of 120" in text_of(last)


def test_the_numbers_of_pages_are_read_back_whatever_separates_their_thousands(root, queue, monkeypatch):
    monkeypatch.setattr(admin, "PAGE_SIZE", 1)
    get_invoker().enqueue_many([send_mail.command(str(number)) for number in range(1002)])
    with override_settings(USE_THOUSAND_SEPARATOR=True):
        page = root.get(f"{list_url('ready')}?page=1001").content.decode()
    assert 'name="page" value="1001"' in page
    assert {"1000", "1001", "1002"} <= set(re.findall(r'href="\?page=([^"&]*)', page))
    assert not re.findall(r'\?page=\d+[^\d"&]', page)


@pytest.mark.parametrize("page", ["0", "-1", "99", "x", ""])
def test_a_page_that_is_not_there_is_a_page_that_is(root, queue, page):
    send_mail("anna")
    assert ids_on(root.get(f"{list_url('ready')}?page={page}")) == ids_in(queue, State.READY)


def test_an_empty_list_says_so(root, every_queue):
    for state in State:
        assert "There are no commands here." in text_of(root.get(list_url(state)))


def test_all_of_a_page_can_be_selected_without_a_script(root, queue):
    bury()
    bury()
    assert root.get(list_url("dead")).content.count(b" checked") == 0
    assert root.get(list_url("dead") + "?page=1&select=page").content.count(b" checked") == 2


def test_the_page_of_a_dead_command_shows_everything(root, every_queue):
    message_id = bury(
        "anna@example.org", "Hello", order={"number": 7}, reason="ValueError: no", detail="Traceback\n  in send\nno"
    )
    response = root.get(message_url(message_id))
    shown = text_of(response)
    assert "ValueError: no" in shown
    assert '<pre class="huey-text" tabindex="0">Traceback\n  in send\nno</pre>' in response.content.decode()
    assert "shop.send_mail( 'anna@example.org', 'Hello', order={'number': 7}, )" in shown
    assert f"Id {message_id} State Dead Buried" in shown
    assert "Attempts 1 Retries left 0 Serializer json" in shown


def test_the_page_of_a_message_shows_what_else_travels_with_it(root, queue):
    command = send_mail.command("anna")
    command.headers = {"traceparent": "00-4bf9"}
    get_invoker().enqueue(command)
    assert "traceparent 00-4bf9" in text_of(root.get(message_url(command.task_id)))


def test_a_message_that_is_gone_is_said_to_be_gone(root, every_queue):
    response = root.get(message_url("9f86d081"), follow=True)
    assert response.redirect_chain == [(OVERVIEW, 302)]
    assert "The command 9f86d081 is no longer in the queue: it has been run, or deleted." in text_of(response)


@pytest.mark.parametrize("url", [list_url("asleep"), list_url("dead", "other"), message_url("1", "other")])
def test_there_is_no_page_of_what_there_is_not(root, queue, url):
    assert root.get(url).status_code == 404


def test_nothing_is_cached(root, queue):
    assert "no-store" in root.get(list_url("dead"))["Cache-Control"]
