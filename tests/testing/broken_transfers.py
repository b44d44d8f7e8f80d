"""Queues that each break one promise to who looks at every message, brings them elsewhere or changes their time."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from huey_core.backends import Capability, Page, State
from huey_core.exceptions import ConfigurationError
from huey_memory import MemoryQueue
from mutants import caught_by
from sleeping_queue import SleepingQueue


@caught_by("test_each_message_of_a_state_is_on_one_page")
class ShowsTheFirstPageOnly(MemoryQueue):
    def pages(self, state, cursor=None, limit=100):
        return Page(super().pages(state, cursor, limit).items, None)


@caught_by("test_each_message_of_a_state_is_on_one_page")
class ShowsTheFirstOfAPageTwice(MemoryQueue):
    def pages(self, state, cursor=None, limit=100):
        return super().pages(state, str(int(cursor) - 1) if cursor else None, limit)


@caught_by("test_each_message_of_a_state_is_on_one_page")
class ShowsEveryState(MemoryQueue):
    def pages(self, state, cursor=None, limit=100):
        page = self.export(cursor, limit)
        return Page(self.find([record.message_id for record in page.items]), page.cursor)


@caught_by("test_a_listed_message_is_the_one_that_is_found")
class ShowsNoPriorityOnAPage(MemoryQueue):
    def pages(self, state, cursor=None, limit=100):
        page = super().pages(state, cursor, limit)
        return Page([replace(message, priority=0) for message in page.items], page.cursor)


@caught_by("test_who_stays_is_on_one_page_while_others_come_and_go")
class CountsWhatIsBeforeThePage(MemoryQueue):
    """Its cursor is an offset."""

    def pages(self, state, cursor=None, limit=100):
        offset = int(cursor or 0)
        items = self.peek(state, offset, limit)
        return Page(items, str(offset + limit) if self.peek(state, offset + limit, 1) else None)


@caught_by("test_who_stays_is_on_one_page_while_others_come_and_go")
class GoesOnFromAMessage(MemoryQueue):
    """Its cursor is the id of the last message of the page before, whose place is known only while it is there."""

    def pages(self, state, cursor=None, limit=100):
        ids = [message.message_id for message in super().pages(state, limit=1000).items]
        begin = ids.index(cursor) + 1 if cursor in ids else 0
        page = ids[begin : begin + limit]
        return Page(self.find(page), page[-1] if page[-1:] != ids[-1:] else None)


@caught_by("test_an_empty_queue_has_one_page_of_nothing")
class NeverComesToAnEnd(MemoryQueue):
    def pages(self, state, cursor=None, limit=100):
        page = super().pages(state, cursor, limit)
        return page if page.items else Page([], cursor or "0")


@caught_by("test_a_cursor_that_is_none_is_refused")
class TakesAnyCursorForTheEnd(MemoryQueue):
    def pages(self, state, cursor=None, limit=100):
        with suppress(ConfigurationError):
            return super().pages(state, cursor, limit)
        return Page([], None)


@caught_by("test_a_cursor_that_is_none_is_refused")
class TakesAnEmptyCursorForNone(MemoryQueue):
    def export(self, cursor=None, limit=100):
        return super().export(cursor or None, limit)


@caught_by("test_a_cursor_that_was_changed_is_refused_or_a_place")
class TrustsTheNumberInACursor(MemoryQueue):
    def pages(self, state, cursor=None, limit=100):
        page = super().pages(state, None if cursor is None else str(int(cursor.removeprefix("after "))), limit)
        return page if page.cursor is None else Page(page.items, f"after {page.cursor}")


class ChangesRecords(MemoryQueue):
    """Exports other records than there are."""

    def export(self, cursor=None, limit=100):
        page = super().export(cursor, limit)
        return Page([changed for record in page.items for changed in self.changed(record)], page.cursor)

    def changed(self, record):
        return [record]


@caught_by("test_each_message_is_exported_once")
class ExportsNoDeadLetters(ChangesRecords):
    def changed(self, record):
        return [] if record.state is State.DEAD else [record]


@caught_by("test_each_message_is_exported_once")
class MovesWhatItExports(MemoryQueue):
    def export(self, cursor=None, limit=100):
        page = super().export(cursor, limit)
        self.delete([record.message_id for record in page.items])
        return page


@caught_by("test_a_record_says_what_an_operator_sees")
class ExportsNoReasons(ChangesRecords):
    def changed(self, record):
        return [replace(record, reason="")]


@caught_by("test_a_record_says_what_an_operator_sees")
class ExportsNoTimes(ChangesRecords):
    def changed(self, record):
        return [replace(record, due=None)]


@caught_by("test_ranks_are_in_the_order_of_claims")
class RanksWithoutRegardToPriority(ChangesRecords):
    def changed(self, record):
        return [replace(record, rank=self._messages._records[record.message_id].rank[1])]


@caught_by("test_ranks_are_in_the_order_of_claims")
class RanksByPriorityAlone(MemoryQueue):
    def export(self, cursor=None, limit=100):
        page = super().export(cursor, limit)
        return Page([replace(record, rank=-record.priority) for record in reversed(page.items)], page.cursor)


@caught_by("test_a_record_has_its_unique_key")
class ExportsNoUniqueKeys(ChangesRecords):
    def changed(self, record):
        return [replace(record, unique_key=None)]


@caught_by("test_a_record_has_its_unique_key")
class ExportsKeysThatAreHeld(ChangesRecords):
    def changed(self, record):
        return [replace(record, unique_key=None) if record.state is State.DEAD else record]


@caught_by("test_a_record_has_its_unique_key")
class ExportsTheWholeTimeOfAKey(ChangesRecords):
    def changed(self, record):
        return [replace(record, unique_for=self._messages._records[record.message_id].message.unique_for)]


@caught_by("test_a_record_has_no_time_of_a_key_that_another_took_since")
class ExportsTheTimeOfWhoHasTheKeyNow(ChangesRecords):
    def changed(self, record):
        until = self._messages._holders.until(record.unique_key)
        return [record if until is None else replace(record, unique_for=until - self.now())]


class ImportsOthers(MemoryQueue):
    """Imports other records than it is given."""

    def import_many(self, records):
        return super().import_many([self.other(record) for record in records])

    def other(self, record):
        return record


@caught_by("test_what_is_imported_keeps_its_order")
class ImportsTheLastFirst(MemoryQueue):
    def import_many(self, records):
        return super().import_many(records[::-1])[::-1]


@caught_by("test_what_is_imported_keeps_its_order", "test_what_is_imported_is_as_it_was")
class ImportsWithoutPriority(ImportsOthers):
    def other(self, record):
        return replace(record, priority=0)


@caught_by("test_what_is_imported_keeps_its_order")
class ImportsRanks(MemoryQueue):
    """Takes the ranks of another queue for its own."""

    def import_many(self, records):
        written = super().import_many(records)
        for record in records:
            entry = self._messages._records[record.message_id]
            entry.rank = (entry.rank[0], -record.rank)
            self._messages._move(entry, entry.state, entry.due)
        return written


@caught_by("test_what_is_imported_is_as_it_was", "test_what_is_imported_lives_on_as_any_message")
class ImportsWithoutCounts(ImportsOthers):
    def other(self, record):
        return replace(record, attempt=0)


@caught_by("test_what_is_imported_is_as_it_was")
class ImportsWithoutReasons(ImportsOthers):
    def other(self, record):
        return replace(record, reason="imported", detail="")


@caught_by("test_what_is_imported_is_as_it_was")
class BuriesWhenItImports(ImportsOthers):
    def other(self, record):
        return replace(record, due=None) if record.state is State.DEAD else record


@caught_by("test_what_is_imported_lives_on_as_any_message")
class ImportsWhatRunsAsRunning(MemoryQueue):
    def import_many(self, records):
        written = super().import_many(records)
        for record in records:
            if record.state is State.RUNNING:
                self._messages._move(self._messages._records[record.message_id], State.RUNNING, record.due)
        return written


@caught_by("test_an_import_once_more_changes_nothing", "test_an_import_leaves_what_is_there_alone")
class ImportsOverWhatIsThere(MemoryQueue):
    def import_many(self, records):
        self.delete([record.message_id for record in records])
        return super().import_many(records)


@caught_by("test_an_import_once_more_changes_nothing")
class ImportsUnderNewIds(MemoryQueue):
    imported = 0

    def import_many(self, records):
        self.imported += 1
        new = [replace(record, message_id=f"{record.message_id} {self.imported}") for record in records]
        written = super().import_many(new)
        return [replace(each, message_id=record.message_id) for each, record in zip(written, records, strict=True)]


@caught_by("test_importing_nothing_is_no_error")
class NeedsARecord(MemoryQueue):
    def import_many(self, records):
        records[0]
        return super().import_many(records)


@caught_by("test_an_import_over_the_limit_writes_nothing")
class ImportsBeforeItLooks(MemoryQueue):
    max_message_size = 1000

    def import_many(self, records):
        return [written for record in records for written in super(ImportsBeforeItLooks, self).import_many([record])]


@caught_by("test_what_is_imported_comes_when_it_is_due")
class ImportsWhatIsScheduledAsReady(ImportsOthers):
    def other(self, record):
        return replace(record, state=State.READY) if record.state is State.SCHEDULED else record


@caught_by("test_what_is_imported_comes_when_it_is_due")
class ImportsForLater(ImportsOthers):
    def other(self, record):
        return replace(record, due=record.due + 10**6) if record.state is State.SCHEDULED else record


@caught_by("test_what_is_imported_has_its_unique_key")
class ImportsNoUniqueKeys(ImportsOthers):
    def other(self, record):
        return replace(record, unique_key=None)


@caught_by("test_what_is_imported_has_its_unique_key")
class ImportsKeysOfTheDeadAsHeld(MemoryQueue):
    def import_many(self, records):
        written = super().import_many(records)
        for record in records:
            if record.unique_key:
                self._messages._holders.set(record.unique_key, record.message_id, self.now())
        return written


@caught_by("test_what_is_imported_has_its_unique_key")
class ImportsKeysForGood(ImportsOthers):
    def other(self, record):
        return replace(record, unique_for=None)


@caught_by("test_a_dead_letter_that_was_imported_takes_its_key_when_it_is_requeued")
class ForgetsTheKeysOfTheDead(ImportsOthers):
    def other(self, record):
        return replace(record, unique_key=None) if record.state is State.DEAD else record


@caught_by("test_a_record_whose_key_is_taken_is_not_imported")
class ImportsRegardless(ImportsOthers):
    def other(self, record):
        taken = self._messages._holders.get(record.unique_key, self.now()) if record.unique_key else None
        return replace(record, unique_key=None) if taken else record


@caught_by("test_a_dead_letter_that_was_imported_is_not_to_be_reported")
class ReportsWhatItImports(MemoryQueue):
    def import_many(self, records):
        written = super().import_many(records)
        for record in records:
            if record.state is State.DEAD:
                self._messages._unreported.add(record.message_id, (self.now(), 0))
        return written


@caught_by("test_an_import_ends_a_wait", "test_a_message_that_is_brought_forward_ends_a_wait")
class SleepsThroughWhatIsImported(SleepingQueue):
    pass


@caught_by("test_a_message_is_put_off")
class ReschedulesForNow(MemoryQueue):
    def reschedule(self, message_ids, eta):
        return super().reschedule(message_ids, self.now())


@caught_by("test_a_message_is_put_off")
class ReschedulesWhatIsScheduledOnly(MemoryQueue):
    def reschedule(self, message_ids, eta):
        scheduled = {message.message_id for message in self.peek(State.SCHEDULED)}
        return super().reschedule([each for each in message_ids if each in scheduled], eta)


@caught_by("test_a_message_that_is_put_off_comes_in_its_old_place")
class ReschedulesToTheTail(MemoryQueue):
    def reschedule(self, message_ids, eta):
        for message_id in message_ids:
            if entry := self._messages._records.get(message_id):
                entry.rank = (entry.rank[0], next(self._messages._serial))
        return super().reschedule(message_ids, eta)


@caught_by("test_a_message_is_brought_forward")
class ReschedulesForTheFutureOnly(MemoryQueue):
    def reschedule(self, message_ids, eta):
        return super().reschedule(message_ids, eta) if eta > self.now() else list(message_ids)


@caught_by("test_a_time_long_ago_is_now")
class CountsTheMicrosecondsOfTheEpoch(MemoryQueue):
    def reschedule(self, message_ids, eta):
        return super().reschedule(message_ids, int(eta * 1e6) / 1e6)


@caught_by("test_a_message_that_is_put_off_keeps_its_count", "test_random_histories_go_as_the_contract_says")
class ForgetsAttemptsWhenItReschedules(MemoryQueue):
    def reschedule(self, message_ids, eta):
        changed = super().reschedule(message_ids, eta)
        for message_id in changed:
            self._messages._records[message_id].attempt = 0
        return changed


@caught_by("test_other_messages_are_not_rescheduled")
class ReschedulesWhateverThereIs(MemoryQueue):
    def reschedule(self, message_ids, eta):
        for message_id in message_ids:
            if entry := self._messages._records.get(message_id):
                self._messages._place(entry, eta, self.now())
        return list(message_ids)


@caught_by("test_a_message_that_is_put_off_holds_its_key")
class FreesTheKeysOfWhatItReschedules(MemoryQueue):
    def reschedule(self, message_ids, eta):
        changed = super().reschedule(message_ids, eta)
        for message_id in changed:
            self._messages._free_key(self._messages._records[message_id].message, self.now())
        return changed


@caught_by("test_what_is_not_declared_is_refused_by_name")
class TransfersAndDoesNotSaySo(MemoryQueue):
    capabilities = MemoryQueue.capabilities - {Capability.TRANSFER}
