"""Revoking calls and commands."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import datetime, timedelta

import pytest

from huey_core import QueueCommand, queue_command
from huey_core.backends.base import EmptyData
from huey_core.backends.capabilities import Capability
from huey_core.exceptions import CommandRevoked, ConfigurationError, DataStoreGetException, Unsupported
from huey_core.features.revocation import CALL_TTL, Revocation, Revocations
from huey_memory import ManualClock, MemoryDataStore

WRITES = ("put", "get", "delete", "put_if_absent", "replace_if_equal", "increment")
NAME = QueueCommand.command_name
ID, OTHER_ID = "a" * 32, "b" * 32


class Crash(BaseException):
    """The end of a process, at the write that would be one too many."""


class CrashingStore(MemoryDataStore):
    """Ends the process after so many writes; ``None`` for never."""

    writes_left: int | None = None

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name not in WRITES:
            return found

        def write(*args, **kwargs):
            if self.writes_left is not None:
                if self.writes_left == 0:
                    raise Crash
                self.writes_left -= 1
            return found(*args, **kwargs)

        return write


class Together(MemoryDataStore):
    """Lets something else happen between a look and the write that relies on it, once."""

    meanwhile = None

    def replace_if_equal(self, *args, **kwargs):
        self._let_it_happen()
        return super().replace_if_equal(*args, **kwargs)

    def put_if_absent(self, *args, **kwargs):
        created = super().put_if_absent(*args, **kwargs)
        self._let_it_happen()
        return created

    def _let_it_happen(self):
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()


class KeepingStore(MemoryDataStore):
    """Forgets nothing by itself, and must not be asked to."""

    capabilities = frozenset({Capability.LOCKS})

    def put(self, key, value):
        super().put(key, value)


@pytest.fixture
def space(request):
    return request.node.name


def a_call(task_id=ID):
    return QueueCommand(task_id=task_id)


class AnotherCommand(QueueCommand, declare=False):
    pass


@pytest.fixture
def double(invoker):
    @queue_command(invoker)
    def double(num):
        return 2 * num

    return double


def test_a_revoked_call_does_not_run(invoker, double, run_consumer):
    revoked, other = double(1), double(2)
    revoked.revoke()
    run_consumer(invoker)

    assert other.get(blocking=True, timeout=10) == 4
    with pytest.raises(CommandRevoked):
        revoked.get(blocking=True, timeout=10)


def test_a_revoked_call_can_be_restored(invoker, double, run_consumer):
    result = double(1)
    result.revoke()

    assert result.is_revoked()
    assert result.restore()
    assert not result.is_revoked()
    run_consumer(invoker)
    assert result.get(blocking=True, timeout=10) == 2


def test_a_call_can_be_revoked_before_it_is_enqueued(invoker, double, result_of):
    command = double.command(1)
    command.revoke()
    with pytest.raises(CommandRevoked):
        result_of(invoker.enqueue(command))
    assert command.is_revoked()
    assert command.restore()


def test_a_command_without_an_invoker_says_what_it_needs():
    with pytest.raises(ConfigurationError, match="before it is enqueued"):
        QueueCommand().revoke()


def test_restoring_what_was_not_revoked_changes_nothing(double):
    assert not double(1).restore()


def test_a_revoked_call_that_comes_again_after_a_crash_does_not_run(invoker, double):
    command = double.command(1)
    command.invoker = invoker
    command.revoke()

    first, again = (invoker.revocations.take(command, invoker.now()) for _ in range(2))

    assert (first, again) == (True, True)
    assert invoker.revocations.any()


def test_a_revoked_command_is_not_run_eagerly_though_a_consumer_has_found_none_revoked_before(
    invoker, double, run_consumer
):
    run_consumer(invoker)
    assert double(1).get(blocking=True, timeout=10) == 2
    double.revoke()

    invoker.always_eager = True

    with pytest.raises(CommandRevoked):
        double(2).get()


class SlowToAnswer(MemoryDataStore):
    """Lets something else happen between a look and its answer, once."""

    meanwhile = None

    def peek_many(self, keys):
        found = super().peek_many(keys)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return found


def test_the_answer_to_an_earlier_look_does_not_hide_what_a_later_one_has_found(invoker, double, space):
    invoker.task_store = store = SlowToAnswer("state", space=space)
    revocation, command = Revocation(), double.command(1)

    def revoke_and_claim():
        Revocations(store).revoke_call(command.task_id)
        revocation.huey_after_claim(invoker, [])

    store.meanwhile = revoke_and_claim
    revocation.huey_after_claim(invoker, [])

    with pytest.raises(CommandRevoked):
        revocation.huey_before_execute(invoker, command)


def test_a_run_without_a_revocation_asks_nothing_of_the_store(invoker, double, space):
    invoker.task_store = store = SlowToAnswer("state", space=space)
    revocation = Revocation()
    revocation.huey_after_claim(invoker, [])
    store.meanwhile = lambda: pytest.fail("the store was asked")

    revocation.huey_before_execute(invoker, double.command(1))


def test_an_event_loop_asks_no_thread_about_a_command_while_nothing_is_revoked(invoker, double, monkeypatch):
    asked = []
    revocation = Revocation()
    revocation.huey_after_claim(invoker, [])
    monkeypatch.setattr(asyncio, "to_thread", asked.append)

    asyncio.run(revocation.huey_before_execute_async(invoker, double.command(1)))

    assert asked == []


def test_revocations_of_calls_are_forgotten_in_time(space):
    clock = ManualClock(now=1000.0)
    revocations = Revocations(MemoryDataStore("state", space=space, clock=clock))
    revocations.revoke_call(ID)

    clock.advance(CALL_TTL - 1)
    assert revocations.is_call_revoked(ID)
    assert revocations.any()

    clock.advance(2 * 86400)
    assert not revocations.is_call_revoked(ID)
    assert not revocations.any()


def test_a_later_revocation_of_a_call_prolongs_what_leads_to_it(space):
    clock = ManualClock(now=1000.0)
    revocations = Revocations(MemoryDataStore("state", space=space, clock=clock))
    revocations.revoke_call(ID)
    clock.advance(CALL_TTL / 2)
    revocations.revoke_call(OTHER_ID)

    clock.advance(CALL_TTL - 1)

    assert revocations.any()
    assert revocations.take(a_call(OTHER_ID), clock())


def test_a_store_that_cannot_forget_keeps_the_revocation_of_a_call_until_it_is_restored(space):
    revocations = Revocations(KeepingStore("state", space=space))

    revocations.revoke_call(ID)

    assert revocations.take(a_call(), 0.0)
    assert revocations.restore_call(ID)
    assert not revocations.take(a_call(), 0.0)


def test_a_revoked_command_does_not_run_until_it_is_restored(invoker, double, run_consumer):
    double.revoke()
    revoked = double(1)
    run_consumer(invoker)
    with pytest.raises(CommandRevoked):
        revoked.get(blocking=True, timeout=10)

    assert double.restore()

    assert double(2).get(blocking=True, timeout=10) == 4


def test_a_command_can_be_revoked_for_one_call(invoker, double, run_consumer):
    double.revoke(revoke_once=True)
    first, second = double(1), double(2)
    run_consumer(invoker, threads=1)

    with pytest.raises(CommandRevoked):
        first.get(blocking=True, timeout=10)
    assert second.get(blocking=True, timeout=10) == 4


def test_a_command_can_be_revoked_until_a_time(double):
    double.revoke(revoke_until=datetime.now() + timedelta(hours=1))

    assert double.is_revoked()
    assert double.is_revoked(datetime.now() + timedelta(minutes=59))
    assert not double.is_revoked(datetime.now() + timedelta(minutes=61))


def test_a_revocation_whose_time_is_over_is_forgotten(invoker, double):
    double.revoke(revoke_until=datetime.now() + timedelta(hours=1))
    revocations = Revocations(invoker.task_store)

    held = revocations.take(double.command(1), now=invoker.now() + 7200)

    assert not held
    assert not revocations.any()


def test_revoking_twice_counts_once(invoker, double):
    double.revoke()
    double.revoke()
    double.restore()

    assert not invoker.revocations.any()


def test_what_is_revoked_while_another_restores_it_is_revoked(space):
    store = Together("state", space=space)
    revocations = Revocations(store)
    revocations.revoke_command("first", None, once=False)
    store.meanwhile = lambda: revocations.restore_command("first")

    revocations.revoke_command("first", None, once=True)

    assert revocations.any()
    assert revocations.is_command_revoked("first", 0.0)


def test_a_look_whether_there_is_any_revocation_is_one_round_trip(space):
    looks = []

    class CountingStore(MemoryDataStore):
        def peek_many(self, keys):
            looks.append(keys)
            return [MemoryDataStore.peek(self, key) for key in keys]

        def peek(self, key):
            looks.append(key)
            return super().peek(key)

    Revocations(CountingStore("state", space=space)).any()

    assert len(looks) == 1


@pytest.mark.parametrize("writes", range(4))
@pytest.mark.parametrize("finisher", [ID, OTHER_ID])
def test_a_revocation_for_one_call_drops_exactly_one_whenever_the_process_ends(space, writes, finisher):
    """Whoever comes first after the crash, the call itself again or another one, finishes what was begun."""
    store = CrashingStore("state", space=space)
    revocations = Revocations(store)
    revocations.revoke_command(NAME, None, once=True)
    store.writes_left = writes
    with contextlib.suppress(Crash):
        revocations.take(a_call(), 0.0)
    store.writes_left = None

    others = [ID, OTHER_ID] if finisher == ID else [OTHER_ID, ID]
    dropped = {task_id for task_id in others if revocations.take(a_call(task_id), 0.0)}
    again = {task_id for task_id in others if revocations.take(a_call(task_id), 0.0)}

    assert dropped == again == ({ID} if writes else {finisher})
    assert not revocations.is_command_revoked(NAME, 0.0)


@pytest.mark.parametrize("change", ["revoke", "restore"])
def test_what_a_call_has_taken_stays_its_own_whatever_becomes_of_its_command(space, change):
    store = CrashingStore("state", space=space)
    revocations = Revocations(store)
    revocations.revoke_command(NAME, None, once=True)
    store.writes_left = 1
    with contextlib.suppress(Crash):
        revocations.take(a_call(ID), 0.0)
    store.writes_left = None

    if change == "revoke":
        revocations.revoke_command(NAME, None, once=True)
    else:
        assert not revocations.restore_command(NAME)

    assert revocations.take(a_call(ID), 0.0)
    assert revocations.take(a_call(OTHER_ID), 0.0) is (change == "revoke")


def test_of_two_calls_that_meet_a_revocation_for_one_call_one_runs(space):
    store = Together("state", space=space)
    revocations = Revocations(store)
    revocations.revoke_command(NAME, None, once=True)
    taken = []
    store.meanwhile = lambda: taken.append(revocations.take(a_call(OTHER_ID), 0.0))

    taken.append(revocations.take(a_call(ID), 0.0))

    assert taken == [True, False]


@pytest.mark.parametrize("writes", range(3))
def test_a_revocation_that_is_written_is_found_whenever_the_process_ends(space, writes):
    store = CrashingStore("state", space=space)
    revocations = Revocations(store)
    store.writes_left = writes
    with contextlib.suppress(Crash):
        revocations.revoke_call(ID)
    store.writes_left = None

    written = store.peek(f"revoked-call:{ID}") is not EmptyData

    assert written is revocations.is_call_revoked(ID) is revocations.take(a_call(), 0.0)
    assert revocations.any() or not written


def test_revoking_without_a_task_store_is_a_clear_error(invoker, double):
    invoker.task_store = None

    with pytest.raises(Unsupported, match="task store"):
        double.revoke()


COMMANDS = "revoked-commands"


@pytest.fixture
def store(space):
    return MemoryDataStore("state", space=space)


def write_commands(store, commands):
    store.put(COMMANDS, json.dumps(commands).encode())


def read_commands(store):
    return json.loads(store.peek(COMMANDS))


def test_what_a_later_version_says_of_a_revocation_is_no_reason_not_to_heed_it(store):
    write_commands(store, {NAME: {"until": None, "once": False, "taken_by": None, "by_whom": "ops"}})

    assert Revocations(store).take(a_call(), 0.0)


def test_what_a_later_version_says_of_a_revocation_stays_when_another_is_written(store):
    entry = {"until": 100.0, "once": False, "taken_by": None, "by_whom": "ops"}
    write_commands(store, {"later": entry})

    Revocations(store).revoke_command(NAME, None, once=False)

    assert read_commands(store)["later"] == entry


UNREADABLE = [5, None, [], "soon", {"until": "soon"}, {"until": True}, {"once": 1}, {"taken_by": 7}]


@pytest.mark.parametrize("entry", UNREADABLE)
def test_a_revocation_that_cannot_be_read_is_that_of_its_command_only(store, entry):
    write_commands(store, {"broken": entry})

    assert not Revocations(store).take(a_call(), 0.0)


@pytest.mark.parametrize("entry", UNREADABLE)
def test_a_command_whose_revocation_cannot_be_read_neither_runs_nor_is_dropped(store, entry):
    write_commands(store, {NAME: entry})
    revocations = Revocations(store)

    with pytest.raises(DataStoreGetException, match=r"cannot be read here; restore\(\) forgets it"):
        revocations.take(a_call(), 0.0)
    with pytest.raises(DataStoreGetException, match="cannot be read here"):
        revocations.is_command_revoked(NAME, 0.0)


@pytest.mark.parametrize("entry", UNREADABLE)
def test_a_revocation_that_cannot_be_read_stays_until_it_is_restored(store, entry):
    write_commands(store, {NAME: entry, "over": {"until": 1.0, "once": False, "taken_by": None}})
    revocations = Revocations(store)

    revocations.take(AnotherCommand(), 2.0)

    assert read_commands(store) == {NAME: entry}
    assert revocations.restore_command(NAME)
    assert not revocations.take(a_call(), 0.0)


@pytest.mark.parametrize("stored", [b"", b"{", b"[]", b"null", b"\xff"])
def test_what_holds_no_revocations_is_an_error_that_names_the_key(store, stored):
    store.put(COMMANDS, stored)

    with pytest.raises(DataStoreGetException, match=f"{COMMANDS}' .* cannot be read"):
        Revocations(store).take(a_call(), 0.0)


@pytest.mark.parametrize("entry", UNREADABLE)
def test_a_call_that_was_revoked_by_itself_is_dropped_whatever_is_said_of_its_command(store, entry):
    write_commands(store, {NAME: entry})
    revocations = Revocations(store)
    revocations.revoke_call(ID)

    assert revocations.take(a_call(), 0.0)
