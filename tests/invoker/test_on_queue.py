"""The invokers of several queues at one place: what each has of its own, and what all share."""

from __future__ import annotations

import itertools

import pytest

from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.exceptions import ConfigurationError
from huey_core.hookspecs import hookimpl
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue
from plain_backend import PlainQueue, PlainStore

_spaces = itertools.count(1)


@pytest.fixture
def make():
    """Make an invoker of URLs in a memory of its own; each is given by what follows the space."""
    space = next(_spaces)

    def make(*options, **settings):
        urls = [None if option is None else f"memory://on-queue-{space}/{option}" for option in options]
        return Invoker(*urls, registry=CommandRegistry(), **settings)

    return make


def names(invoker):
    return [part and part.name for part in (invoker.queue, invoker.result_store, invoker.task_store)]


class TestWhichQueueAndStores:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (("?queue=web", "?queue=web", "?queue=web"), ["mail", "mail", "huey-state:mail"]),
            (("", "", ""), ["mail", "mail", "huey-state:mail"]),
            (("?queue=web&results=all", "?queue=web&results=all", None), ["mail", "all", None]),
            (("?queue=web", None, "?queue=web"), ["mail", None, "huey-state:mail"]),
            (("?queue=web&results=none", "?queue=web&results=none", None), ["mail", None, None]),
            # A URL of its own says by queue= that it follows the queue.
            (("?queue=web", "?queue=web&lease=5", "?queue=web&lease=5"), ["mail", "mail", "huey-state:mail"]),
            (("?queue=web", "?lease=5", "?queue=state"), ["mail", "huey", "huey-state:state"]),
        ],
    )
    def test_they_are_those_that_the_urls_would_name(self, make, options, expected):
        assert names(make(*options).on_queue("mail")) == expected

    def test_who_is_set_up_for_that_queue_alone_agrees(self, make):
        other, alone = make("?queue=web", "?queue=web").on_queue("mail"), make("?queue=mail", "?queue=mail")

        @queue_command(other)
        def send():
            """Do nothing."""

        handle = send()
        alone.results.put(handle.task_id, b"result")

        assert alone.leased_queue.counts().ready == 1
        assert other.results.peek(handle.task_id) == b"result"

    def test_beside_objects_is_a_sibling_that_shares_the_stores(self):
        queue, results, state = MemoryQueue("web", space="objects", max_deliveries=3), PlainStore(), PlainStore()
        invoker = Invoker(queue, results, state)

        other = invoker.on_queue("mail")

        assert (other.queue.name, other.queue.max_deliveries, other.queue.space) == ("mail", 3, queue.space)
        assert (other.result_store, other.task_store) == (results, state)

    def test_a_plain_queue_is_made_anew_with_its_connection(self):
        other = Invoker(PlainQueue("web", host="somewhere")).on_queue("mail")

        assert (type(other.queue), other.queue.name, other.queue.connection) == (
            PlainQueue,
            "mail",
            {"host": "somewhere"},
        )

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("", "not be empty"),
            ("huey-state:mail", "must not begin with"),
            ("\udcff", "Unicode"),
            (5, "must be a text"),
        ],
    )
    def test_what_no_queue_can_be_called_is_refused(self, invoker, name, reason):
        with pytest.raises(ConfigurationError, match=reason):
            invoker.on_queue(name)


class TestWhichInvoker:
    def test_it_is_always_the_same_one_for_a_name(self, invoker):
        mail = invoker.on_queue("mail")

        assert invoker.on_queue("mail") is mail
        assert mail.on_queue("mail") is mail
        assert mail.on_queue("reports") is invoker.on_queue("reports")

    def test_of_its_own_name_it_is_itself(self, invoker):
        assert invoker.on_queue(invoker.queue.name) is invoker
        assert invoker.on_queue("mail").on_queue(invoker.queue.name) is invoker

    def test_it_is_of_the_same_class(self):
        class OwnInvoker(Invoker):
            pass

        assert type(OwnInvoker.from_url("memory://").on_queue("mail")) is OwnInvoker

    def test_what_runs_at_once_is_in_no_queue(self, make):
        invoker = make("", always_eager=True)

        assert invoker.on_queue("mail") is invoker


class TestWhatTheyShare:
    def test_plugins_are_loaded_once_whoever_asks_first(self, make):
        first, later = make("", plugins=[object()]), make("")
        later_plugins = later.plugins

        assert first.on_queue("mail").plugins is first.plugins
        assert later.on_queue("mail").plugins is later_plugins

    def test_a_hook_is_given_the_invoker_of_the_queue(self, make):
        seen = []

        class Watcher:
            @hookimpl
            def huey_before_enqueue(self, invoker, command):
                seen.append(invoker.queue.name)

        mail = make("", plugins=[Watcher()]).on_queue("mail")
        queue_command(mail)(lambda: None)()

        assert seen == ["mail"]

    def test_commands_and_connections_are_the_same(self, invoker):
        mail = invoker.on_queue("mail")

        assert mail.registry is invoker.registry
        assert mail.codec is invoker.codec
        assert mail.backends == invoker.backends

    def test_a_clock_that_is_measured_for_one_queue_holds_for_all(self, invoker):
        mail = invoker.on_queue("mail")

        mail.clock_offset = 3600.0

        assert invoker.clock_offset == 3600.0
        assert invoker.now() == pytest.approx(mail.now(), abs=60)

    def test_commands_run_at_once_in_all_or_in_none(self, invoker):
        mail = invoker.on_queue("mail")
        command = queue_command(mail)(lambda: 5)

        invoker.always_eager = True

        assert command().get() == 5
        assert mail.leased_queue.counts().ready == 0

    def test_closing_one_closes_all(self, make):
        invoker = make("", "")
        invoker.on_queue("mail").close()

        with pytest.raises(Exception, match="closed"):
            invoker.queue.write(b"x")


class TestReplaced:
    @pytest.fixture
    def parts(self):
        clock = ManualClock(1000.0)
        return [MemoryQueue("test", clock=clock), *(MemoryDataStore(name, clock=clock) for name in ("test", "state"))]

    def test_other_queues_are_beside_the_one_given(self, invoker, parts):
        mail, own = invoker.on_queue("mail"), invoker.on_queue("mail").queue

        with invoker.replaced(*parts, clock=lambda: 1000.0):
            replaced, made_meanwhile = mail.queue, invoker.on_queue("reports")
            assert made_meanwhile.queue.space is parts[0].space
            assert (mail.leased_queue, mail.now(), mail.result_store) == (replaced, 1000.0, parts[1])

        assert (replaced.name, replaced.space) == ("mail", parts[0].space)
        assert (mail.queue, mail.leased_queue) == (own, own)
        assert made_meanwhile.queue.space is own.space

    def test_one_of_them_may_be_replaced_alone(self, invoker, parts):
        mail, own = invoker.on_queue("mail"), invoker.queue

        with mail.replaced(*parts):
            assert (mail.queue, invoker.queue) == (parts[0], own)
            with invoker.replaced(MemoryQueue("inner")):
                assert mail.queue.name == "mail"
            assert mail.queue is parts[0]

        assert mail.queue.name == "mail"
