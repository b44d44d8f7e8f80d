"""What is particular to groups of messages on Redis: the keys that hold them, and how these are forgotten."""

from __future__ import annotations

import pytest

from huey_core.backends.messages import Message, StoredGroup
from huey_core.backends.outcomes import Ack, Arrival
from huey_core.exceptions import ConfigurationError

MINUTE = 60.0


@pytest.fixture
def arrive(queue):
    """Let members of groups arrive: ``arrive(("group", "member"), ..., of=3)``."""

    def arrive(*pairs, of=3, ttl=MINUTE):
        carrier = queue.write(b"carrier", priority=1000)
        (delivery,) = queue.claim(1, MINUTE).deliveries
        assert delivery.message_id == carrier.message_id
        arrivals = tuple(Arrival(group, member, of, Message(b"then"), ttl) for group, member in pairs)
        assert queue.settle([Ack(delivery, arrivals=arrivals)]) == [True]

    return arrive


@pytest.fixture
def keys(admin, queue):
    """The keys of the queue's groups and of their list."""
    return lambda: set(admin("KEYS", f"huey:{{{queue.name}}}:group*"))


def test_a_complete_group_keeps_nothing_of_its_members(admin, queue, arrive):
    arrive(*(("g", str(number)) for number in range(3)))
    assert admin("HGETALL", f"huey:{{{queue.name}}}:group:g") == [b"complete", b"3"]


def test_a_forgotten_group_leaves_no_key_behind_although_nobody_looks(arrive, keys, eventually):
    arrive(("incomplete", "a"), ("complete", "a"), ("complete", "b"), ("complete", "c"), ttl=0.2)
    assert len(keys()) == 3
    eventually(lambda: not keys())


def test_the_list_of_groups_lasts_as_long_as_the_last_of_them(admin, queue, arrive, eventually):
    arrive(("long", "a"), ttl=MINUTE)
    arrive(("short", "a"), ttl=0.01)
    assert admin("PTTL", f"huey:{{{queue.name}}}:groups") > 30_000
    assert eventually(lambda: [group.group for group in queue.groups().items] == ["long"])


def test_forgotten_groups_leave_the_list_with_a_later_arrival(admin, queue, arrive, eventually):
    arrive(("long", "a"), ttl=MINUTE)
    arrive(*((f"short{number}", "a") for number in range(20)), ttl=0.01)
    eventually(lambda: len(queue.groups().items) == 1)

    arrive(("long", "b"))

    assert admin("ZRANGE", f"huey:{{{queue.name}}}:groups", 0, -1) == [b"long"]


def test_a_flush_forgets_more_groups_than_one_call_takes(queue, arrive, keys):
    arrive(*((f"g{number}", "a") for number in range(250)))
    queue.flush()
    assert keys() == set()


def test_more_groups_are_listed_than_one_call_takes(queue, arrive):
    arrive(*((f"g{number}", "a") for number in range(250)))

    page = queue.groups(limit=220)
    rest = queue.groups(page.cursor, limit=220)

    assert len(page.items) == 220
    assert {group.group for group in page.items + rest.items} == {f"g{number}" for number in range(250)}
    assert rest.cursor is None


@pytest.mark.parametrize("group", ["", "of", "complete", " ", "a b", "{x}", "\0", "\N{PARTY POPPER}", "groups 1 x"])
def test_a_group_of_any_name_is_listed_and_deleted(queue, arrive, group):
    arrive((group, "of"), (group, ""), ("another", "a"))
    (listed,) = [found for found in queue.groups().items if found.group == group]
    assert listed == StoredGroup(group, 2, 3, listed.expires)
    assert queue.delete_groups([group, group, "unknown"]) == [group]
    assert [found.group for found in queue.groups().items] == ["another"]


def test_pages_of_groups_end_and_begin_between_names_of_any_bytes(queue, arrive):
    names = ["", " ", "Z", "a", "aa", "b", "\N{LATIN SMALL LETTER E WITH ACUTE}", "\N{PARTY POPPER}", "\0", "1 2"]
    arrive(*((name, "m") for name in names))

    listed, cursor = [], None
    while True:
        page = queue.groups(cursor, limit=1)
        listed += [group.group for group in page.items]
        cursor = page.cursor
        if cursor is None:
            break

    assert sorted(listed) == sorted(names)


@pytest.mark.parametrize("cursor", ["", "x", "groups", "groups one g", "ready 1 g", "groups 1", "groups 1 \ud800"])
def test_what_is_no_cursor_of_groups_is_refused(queue, cursor):
    with pytest.raises(ConfigurationError, match="cursor"):
        queue.groups(cursor)
