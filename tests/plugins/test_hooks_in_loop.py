"""Control hooks around commands that an event loop runs: coroutine functions, twins and wrappers."""

from __future__ import annotations

import asyncio
import threading

import pytest

from huey_core import hookimpl, hookspecs, queue_command
from huey_core.backends.messages import Delivery
from huey_core.backends.outcomes import Ack, Bury, Release, Retry
from huey_core.commands import Execution
from huey_core.exceptions import CommandPostponed, PluginException
from huey_core.invoker import CommandRunner
from huey_core.plugins import PluginManager

EXECUTE = {"invoker": None, "command": None}


@pytest.fixture
def call():
    """Call ``huey_execute`` of some plugins in an event loop."""

    def call(*plugins):
        manager = PluginManager(plugins, installed=False)
        return asyncio.run(manager.in_loop.call(hookspecs.huey_execute, **EXECUTE))

    return call


@pytest.fixture
def run(make_invoker):
    """Run a coroutine function as a command in an event loop, and return its outcome."""

    def run(function, *plugins, attempt=1, **options):
        invoker = make_invoker(plugins=plugins)
        command = queue_command(invoker, **options)(function).command()
        delivery = Delivery(invoker.codec.encode(command), command.task_id, "receipt", attempt)
        return asyncio.run(CommandRunner(invoker).run_async(delivery))[0]

    return run


class Answers:
    def __init__(self, answer):
        self.answer = answer

    @hookimpl
    def huey_execute(self):
        return self.answer


class AnswersLater(Answers):
    @hookimpl
    async def huey_execute(self):
        await asyncio.sleep(0)
        return self.answer


class RaisesLater:
    @hookimpl
    async def huey_execute(self):
        await asyncio.sleep(0)
        raise LookupError("too late")


class Around:
    def __init__(self, name, seen):
        self.name = name
        self.seen = seen

    @hookimpl(wrapper=True)
    def huey_execute(self):
        self.seen.append(f"{self.name} begins")
        try:
            return (yield)
        except LookupError as error:
            return f"{self.name} caught {error}"
        finally:
            self.seen.append(f"{self.name} ends")


class AroundInTheOldWay:
    @hookimpl(hookwrapper=True)
    def huey_execute(self):
        result = yield
        result.force_result(f"{result.excinfo and result.exception}, seen")


class HasTwin:
    @hookimpl
    def huey_execute(self, command):
        return "at once"

    async def huey_execute_async(self, command):
        await asyncio.sleep(0)
        return "awaited"


async def succeed():
    await asyncio.sleep(0)
    return "done"


async def fail():
    await asyncio.sleep(0)
    raise ValueError("failed")


class TestCalls:
    def test_the_first_result_counts_whichever_of_the_two_kinds_gives_it(self, call):
        assert call(Answers("last"), AnswersLater("first"), AnswersLater(None)) == "first"
        assert call(Answers("last"), Answers("first"), AnswersLater(None)) == "first"

    def test_all_results_are_collected_in_the_order_of_the_plugins(self):
        class First:
            @hookimpl
            def huey_before_execute(self):
                return 1

        class Second:
            @hookimpl
            async def huey_before_execute(self):
                return 2

        manager = PluginManager([First(), Second()], installed=False)

        assert asyncio.run(manager.in_loop.call_all(hookspecs.huey_before_execute, **EXECUTE)) == [2, 1]

    def test_wrappers_are_around_what_is_awaited(self, call):
        seen = []

        assert call(AnswersLater("inside"), Around("inner", seen), Around("outer", seen)) == "inside"
        assert seen == ["outer begins", "inner begins", "inner ends", "outer ends"]

    def test_a_wrapper_can_catch_what_is_raised_inside(self, call):
        assert call(RaisesLater(), Around("inner", []), Around("outer", [])) == "inner caught too late"

    def test_a_wrapper_of_the_old_kind_is_given_the_result(self, call):
        assert call(RaisesLater(), AroundInTheOldWay()) == "too late, seen"
        assert call(AnswersLater(1), AroundInTheOldWay()) == "None, seen"

    def test_what_nobody_catches_is_raised(self, call):
        with pytest.raises(LookupError, match="too late"):
            call(RaisesLater())

    @pytest.mark.parametrize(("yields", "problem"), [(0, "did not yield"), (2, "has a second yield")])
    def test_a_wrapper_that_does_not_yield_once_is_named(self, call, yields, problem):
        class Wrong:
            @hookimpl(wrapper=True)
            def huey_execute(self):
                for _ in range(yields):
                    yield

        with pytest.raises(RuntimeError, match=f"the wrapper of huey_execute in plugin .*Wrong {problem}"):
            call(AnswersLater(1), Wrong())

    def test_a_twin_is_awaited_in_place_of_its_implementation(self, call):
        assert call(HasTwin()) == "awaited"

    def test_elsewhere_a_twin_is_not_called(self):
        assert PluginManager([HasTwin()], installed=False).call(hookspecs.huey_execute, **EXECUTE) == "at once"

    def test_elsewhere_a_coroutine_function_is_run_to_its_end(self):
        manager = PluginManager([AnswersLater("inside"), Around("outer", seen := [])], installed=False)

        assert manager.call(hookspecs.huey_execute, **EXECUTE) == "inside"
        assert seen == ["outer begins", "outer ends"]

    def test_an_observer_that_raises_keeps_no_other_from_being_told(self):
        class Fails:
            @hookimpl
            async def huey_loop_stop(self):
                raise SystemExit(3)

        class Told:
            @hookimpl
            def huey_loop_stop(self):
                told.append(True)

        told = []
        manager = PluginManager([Told(), Fails()], installed=False)
        asyncio.run(manager.in_loop.notify(hookspecs.huey_loop_stop, consumer=None))

        assert told == [True]
        assert [(faults.hook, faults.errors) for faults in manager.hook_faults()] == [("huey_loop_stop", 1)]


class TestRefusals:
    def test_a_coroutine_function_that_nobody_would_await(self):
        class Observes:
            @hookimpl
            async def huey_command_succeeded(self):
                pass

        with pytest.raises(PluginException, match="'huey_command_succeeded' by an async def, which nobody would await"):
            PluginManager([Observes()], installed=False)

    def test_an_async_wrapper(self):
        class Wraps:
            @hookimpl(wrapper=True)
            async def huey_execute(self):
                yield

        with pytest.raises(PluginException, match="wraps 'huey_execute' by an async def; a wrapper is a generator"):
            PluginManager([Wraps()], installed=False)

    def test_a_twin_that_nobody_would_await(self):
        class Observes:
            @hookimpl
            def huey_command_succeeded(self):
                pass

            async def huey_command_succeeded_async(self):
                pass

        with pytest.raises(PluginException, match="'huey_command_succeeded_async', but nobody would await that"):
            PluginManager([Observes()], installed=False)

    def test_a_twin_that_is_no_coroutine_function(self):
        class Half(HasTwin):
            def huey_execute_async(self, command):
                pass

        with pytest.raises(PluginException, match=r"'huey_execute_async'.* must be an async def"):
            PluginManager([Half()], installed=False)

    def test_a_twin_of_other_parameters(self):
        class Odd(HasTwin):
            async def huey_execute_async(self, invoker):
                pass

        with pytest.raises(PluginException, match="'huey_execute_async', which must have the same parameters"):
            PluginManager([Odd()], installed=False)


class TestRuns:
    def test_a_coroutine_keeps_a_command_from_running(self, run):
        class Postpones:
            @hookimpl
            async def huey_before_execute(self):
                await asyncio.sleep(0)
                raise CommandPostponed(5.0)

        outcome = run(succeed, Postpones())

        assert (type(outcome), outcome.delay) == (Release, 5.0)

    def test_a_coroutine_runs_the_command(self, run):
        outcome = run(succeed, AnswersLater(Execution("another")))

        assert isinstance(outcome, Ack)
        assert b"another" in outcome.result.value

    def test_a_coroutine_says_when_to_retry(self, run):
        class Decides:
            @hookimpl
            async def huey_retry_delay(self):
                await asyncio.sleep(0)
                return 7.0

        outcome = run(fail, Decides())

        assert (type(outcome), outcome.delay) == (Retry, 7.0)

    @pytest.mark.parametrize("function", [succeed, fail])
    def test_a_coroutine_says_what_is_stored_and_what_follows(self, run, function):
        class Decides:
            @hookimpl
            async def huey_store_result(self, execution):
                await asyncio.sleep(0)
                seen.append(("stored", str(execution.error or execution.value)))

            @hookimpl
            async def huey_follow_ups(self, execution):
                await asyncio.sleep(0)
                seen.append(("followed", str(execution.error or execution.value)))
                return []

        seen = []
        outcome = run(function, Decides())

        what = "done" if function is succeed else "failed"
        assert seen == [("stored", what), ("followed", what)]
        assert type(outcome) is (Ack if function is succeed else Bury)

    def test_for_a_command_in_a_thread_a_coroutine_is_awaited_in_the_loop(self, run):
        class Looks:
            @hookimpl
            async def huey_before_execute(self):
                await asyncio.sleep(0)
                threads.append(threading.current_thread())

            @hookimpl(wrapper=True)
            def huey_execute(self):
                threads.append(threading.current_thread())
                return (yield)

        def work():
            threads.append(threading.current_thread())

        threads = []
        outcome = run(work, Looks())

        before, around, at_work = threads
        assert isinstance(outcome, Ack)
        assert before is threading.current_thread()
        assert around is at_work is not before

    def test_a_message_that_cannot_be_read_is_looked_at_again(self, make_invoker):
        invoker = make_invoker()

        outcome, _ = asyncio.run(CommandRunner(invoker, 9.0).run_async(Delivery(b"what?", "id", "receipt", 1)))

        assert (type(outcome), outcome.delay, outcome.keep_attempts) == (Retry, 9.0, True)

    def test_another_delivery_is_a_warning_before_it_runs(self, run, caplog):
        run(succeed, attempt=2)

        assert "is in delivery 2" in caplog.text
