"""In which order the implementations of a hook are called: what the page about hooks says, for both kinds of hooks."""

from __future__ import annotations

import pytest

from huey_core import hookspecs
from huey_core.hookspecs import hookimpl
from huey_core.plugins.manager import PluginManager

KINDS = {
    "huey_after_enqueue": lambda manager: manager.notify(hookspecs.huey_after_enqueue, invoker=None, command=None),
    "huey_before_enqueue": lambda manager: manager.call_all(hookspecs.huey_before_enqueue, invoker=None, command=None),
}
"""How a hook of each kind is called: an observer, and a control hook whose implementations are all called."""


@pytest.fixture(params=["takes nothing", "takes all"])
def plugin(request):
    """Makes plugins whose hooks append their name to ``plugin.calls``, and return ``answer``.

    Those that take all arguments are called in another way.
    """
    calls = []

    def make(name, hook="huey_execute", answer=None, **order):
        class TakesNothing:
            @hookimpl(specname=hook, **order)
            def append(self):
                calls.append(name)
                return answer

        class TakesAll:
            @hookimpl(specname=hook, **order)
            def append(self, invoker, command):
                calls.append(name)
                return answer

        return TakesAll() if request.param == "takes all" else TakesNothing()

    make.calls = calls
    return make


@pytest.fixture
def wrapper(plugin):
    """Makes plugins that wrap ``huey_execute``, and append ``name >`` before it and ``< name`` after it."""

    def make(name, **order):
        class Wrapper:
            @hookimpl(wrapper=True, **order)
            def huey_execute(self):
                plugin.calls.append(f"{name} >")
                answer = yield
                plugin.calls.append(f"< {name}")
                return answer

        return Wrapper()

    return make


def execute(*plugins):
    return PluginManager(plugins, installed=False).call(hookspecs.huey_execute, invoker=None, command=None)


@pytest.mark.parametrize("hook", KINDS)
def test_the_one_registered_last_is_called_first(plugin, hook):
    plugins = [plugin(name, hook) for name in ("a", "b", "c")]

    KINDS[hook](PluginManager(plugins, installed=False))

    assert plugin.calls == ["c", "b", "a"]


@pytest.mark.parametrize("hook", KINDS)
def test_tryfirst_goes_before_all_and_trylast_behind_all_whenever_they_were_registered(plugin, hook):
    plugins = [
        plugin("first", hook, tryfirst=True),
        plugin("a", hook),
        plugin("last", hook, trylast=True),
        plugin("b", hook),
    ]

    KINDS[hook](PluginManager(plugins, installed=False))

    assert plugin.calls == ["first", "b", "a", "last"]


@pytest.mark.parametrize("hook", KINDS)
def test_of_several_with_tryfirst_the_latest_is_the_first_and_of_several_with_trylast_the_last(plugin, hook):
    plugins = [
        plugin("first 1", hook, tryfirst=True),
        plugin("first 2", hook, tryfirst=True),
        plugin("last 1", hook, trylast=True),
        plugin("last 2", hook, trylast=True),
    ]

    KINDS[hook](PluginManager(plugins, installed=False))

    assert plugin.calls == ["first 2", "first 1", "last 1", "last 2"]


@pytest.mark.parametrize("hook", KINDS)
def test_a_plugin_that_is_registered_later_takes_its_place_too(plugin, hook):
    manager = PluginManager([plugin("a", hook), plugin("last", hook, trylast=True)], installed=False)
    KINDS[hook](manager)
    plugin.calls.clear()

    manager.register(plugin("b", hook), "b")
    KINDS[hook](manager)

    assert plugin.calls == ["b", "a", "last"]


def test_of_a_first_result_hook_nobody_is_called_after_the_first_answer(plugin):
    answer = execute(plugin("a", answer=1), plugin("b", answer=2), plugin("c"))

    assert (answer, plugin.calls) == (2, ["c", "b"])


def test_of_a_hook_whose_results_all_count_those_are_returned_that_are_some(plugin):
    plugins = [plugin(name, "huey_before_enqueue", answer) for name, answer in (("a", 1), ("b", None), ("c", 0))]

    results = PluginManager(plugins, installed=False).call_all(
        hookspecs.huey_before_enqueue, invoker=None, command=None
    )

    assert (results, plugin.calls) == ([0, 1], ["c", "b", "a"])


def test_a_wrapper_surrounds_all_the_others_whenever_it_was_registered(plugin, wrapper):
    execute(wrapper("wrapper"), plugin("first", tryfirst=True), plugin("a"), plugin("last", trylast=True))

    assert plugin.calls == ["wrapper >", "first", "a", "last", "< wrapper"]


def test_of_several_wrappers_the_one_registered_last_is_the_outermost_unless_they_ask_otherwise(plugin, wrapper):
    execute(wrapper("out", tryfirst=True), wrapper("a"), wrapper("in", trylast=True), wrapper("b"), plugin("core"))

    assert plugin.calls == ["out >", "b >", "a >", "in >", "core", "< in", "< a", "< b", "< out"]


def test_a_wrapper_may_change_the_answer():
    class Core:
        @hookimpl(trylast=True)
        def huey_execute(self):
            return "result"

    class Wrapper:
        @hookimpl(wrapper=True)
        def huey_execute(self):
            return f"wrapped {(yield)}"

    assert execute(Core(), Wrapper()) == "wrapped result"


def test_a_wrapper_sees_what_the_others_raise():
    class Core:
        @hookimpl
        def huey_execute(self):
            raise ZeroDivisionError

    class Wrapper:
        @hookimpl(wrapper=True)
        def huey_execute(self):
            try:
                return (yield)
            except ZeroDivisionError:
                return "infinite"

    assert execute(Core(), Wrapper()) == "infinite"
