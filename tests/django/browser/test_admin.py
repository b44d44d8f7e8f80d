"""An operator looks after the queues, in a browser."""

from __future__ import annotations

import threading

import pytest
from chromium import Keys
from selenium.webdriver.common.by import By

from deployment import await_condition
from huey_core.backends.messages import State
from huey_core.features.heartbeat import consumers_alive
from huey_django import get_invoker, queue_command

mail_server_works = threading.Event()
sent: list[str] = []
copied = threading.Event()


@queue_command(name="shop.mail.send")
def send(to, subject, **more):
    if not mail_server_works.is_set():
        raise ConnectionRefusedError(f"mail.example.org does not take the mail to {to}")
    sent.append(to)


@queue_command(name="shop.reports.make_monthly_report_of_every_branch", priority=5)
def report(month):
    pass


@queue_command(name="shop.archive.copy_every_order_of_a_year")
def copy(year):
    copied.wait(600)


@pytest.fixture(autouse=True)
def broken_mail_server():
    mail_server_works.clear()
    sent.clear()


@pytest.fixture
def copying(start_consumer):
    """A consumer of a third queue that is busy until the end of the test."""
    copied.clear()
    archive = get_invoker("archive")
    archive.enqueue_many([copy.command(year) for year in (2024, 2025, 2026)])
    start_consumer("archive", threads=8, heartbeat=1.0)
    try:
        await_condition(lambda: [each.running for each in consumers_alive(archive.task_store)] == [3], "it is busy")
        yield
    finally:
        copied.set()


def look_at(browser, name):
    """Keep a picture of a page, and see that it fits on the screen and that nothing complains."""
    browser.take_picture(name)
    assert browser.complaints() == []
    assert browser.overflow() <= 0, f"the page {name} is wider than the screen"


def dead(invoker):
    return [message.message_id for message in invoker.leased_queue.peek(State.DEAD)]


def test_a_dead_command_is_seen_and_retried_and_runs_and_another_is_deleted(browser, log_in, invoker, start_consumer):
    start_consumer()
    anna = send("anna@example.org", "Your order", order={"number": 4711, "items": ["tea", "cups"]}).task_id
    await_condition(lambda: dead(invoker) == [anna], "the first command is dead")
    mallory = send("<script>document.title = 'stolen'</script>", "x" * 200).task_id
    await_condition(lambda: dead(invoker) == [mallory, anna], "both commands are dead")

    log_in(browser)
    look_at(browser, "1-index")
    browser.click("Queues", "a")
    look_at(browser, "2-overview")
    browser.click("Dead", "a")
    look_at(browser, "3-dead")
    assert mallory in browser.text()
    browser.leave_by(browser.driver.find_elements(By.LINK_TEXT, "shop.mail.send")[1].click)
    look_at(browser, "4-message")
    assert "Traceback (most recent call last):" in browser.text()
    assert "ConnectionRefusedError: mail.example.org does not take the mail to anna@example.org" in browser.text()
    assert "'anna@example.org',\n    'Your order',\n    order={'number': 4711" in browser.find("shop", "pre").text

    mail_server_works.set()
    browser.click("Retry")
    await_condition(lambda: sent == ["anna@example.org"], "the consumer has run the command")
    browser.driver.refresh()
    assert anna not in browser.text()
    assert mallory in browser.text()

    browser.driver.find_element(By.NAME, "id").click()
    browser.click("Delete selected")
    look_at(browser, "5-confirmation")
    assert dead(invoker) == [mallory]
    browser.click("Yes, delete")
    look_at(browser, "6-deleted")
    assert "There are no commands here." in browser.text()
    assert dead(invoker) == []


@pytest.mark.usefixtures("copying")
def test_every_page_fits_and_nothing_complains(browser, log_in, site, invoker, server, start_consumer):
    for number in range(60):
        send(f"customer{number}@example.org", "News of this autumn", attachments=["catalogue.pdf"])
    for month in range(1, 4):
        report.schedule(args=(f"2026-{month:02}",), delay=3600 * month)
    invoker.leased_queue.claim(2, 600.0)
    invoker.queue.write(b"\x00\xffnot a message")
    reports = get_invoker("reports")
    reports.enqueue(report.command("2026-12"))
    reports.leased_queue.pause()
    start_consumer("reports", threads=4)
    await_condition(lambda: consumers_alive(reports.task_store), "the consumer shows itself")
    log_in(browser)

    queues = f"{site}huey_django/command/"
    browser.open(queues)
    look_at(browser, "overview")
    assert "reports" in browser.text().split()
    browser.click("shop.archive.copy_every_order_of_a_year", "a")
    assert "copy_every_order_of_a_year(" in browser.text()
    for state in State:
        browser.open(f"{queues}queue/default/{state}/")
        look_at(browser, f"list-{state}")
    browser.open(f"{queues}queue/default/ready/")
    browser.click("2", "nav[@class='paginator']//a")
    look_at(browser, "second-page")
    assert "51 to 59 of 59" in browser.text()
    browser.click("unreadable message", "a")
    look_at(browser, "unreadable")
    server.kill()
    browser.open(queues)
    look_at(browser, "down")
    assert "The server cannot be asked" in browser.text()


def test_the_keyboard_is_enough(desktop, log_in, site, invoker, start_consumer):
    start_consumer()
    send("anna@example.org", "Your order")
    await_condition(lambda: dead(invoker), "the command is dead")
    mail_server_works.set()
    log_in(desktop)
    desktop.open(f"{site}huey_django/command/queue/default/dead/")

    tab_to(desktop, lambda element: element.get_attribute("type") == "checkbox")
    desktop.press(Keys.SPACE)
    tab_to(desktop, lambda element: element.text == "Retry selected")
    assert desktop.focused().value_of_css_property("outline-style") != "none"
    desktop.leave_by(lambda: desktop.press(Keys.ENTER))

    await_condition(lambda: sent == ["anna@example.org"], "the consumer has run the command")


def tab_to(browser, is_wanted):
    """Press the tabulator until the right element has the focus, round the page if need be."""
    for _ in range(100):
        browser.press(Keys.TAB)
        if is_wanted(browser.focused()):
            return
    pytest.fail("the keyboard does not get there")
