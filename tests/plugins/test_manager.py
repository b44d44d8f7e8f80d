from __future__ import annotations

import asyncio
import functools
import logging

import pytest

from huey_core import hookspecs
from huey_core.backends.backend import HUEY_PLUGIN_API
from huey_core.exceptions import (
    CommandRejected,
    ConfigurationError,
    PluginConflict,
    PluginException,
    PluginIncompatible,
    PluginLoadError,
    UnknownHook,
)
from huey_core.hookspecs import hookimpl
from huey_core.plugins.discovery import PLUGINS
from huey_core.plugins.manager import PluginManager

CALLS = """
    from huey_core.hookspecs import hookimpl

    calls = []

    @hookimpl
    def huey_after_enqueue(command):
        calls.append(command)
"""


class Recorder:
    """Appends its name to a list when a command was enqueued."""

    def __init__(self, name, calls):
        self.name = name
        self.calls = calls

    @hookimpl
    def huey_after_enqueue(self):
        self.calls.append(self.name)


class Greedy:
    """Has a hook that is as it should be, and one with an argument that does not exist."""

    def __init__(self, calls):
        self.calls = calls

    @hookimpl
    def huey_after_enqueue(self):
        self.calls.append("greedy")

    @hookimpl
    def huey_command_retried(self, queue):
        raise NotImplementedError


class Failing:
    @hookimpl
    def huey_after_enqueue(self, command):
        raise RuntimeError("full disk")


@pytest.fixture
def manage(site):
    """Makes a manager that loads nothing installed."""

    def make(*plugins, **options):
        return PluginManager(plugins, installed=False, **options)

    return make


def enqueue(manager: PluginManager) -> None:
    manager.notify(hookspecs.huey_after_enqueue, invoker=None, command="command")


def test_of_two_threads_that_take_one_name_one_gets_it(do_twice_at_once):
    manager = PluginManager(installed=False)

    errors = do_twice_at_once(lambda: manager.register(Recorder("mail", []), "mail"), manager._pluggy, "register")

    assert [type(error) for error in errors] == [PluginConflict]


def test_an_observer_gets_the_arguments_it_asks_for(manage):
    class Plugin:
        @hookimpl
        def huey_command_retried(self, delay, command):
            seen.append((delay, command))

    seen = []
    manage(Plugin()).notify(hookspecs.huey_command_retried, invoker=None, command="c", error=None, delay=2.0)

    assert seen == [(2.0, "c")]


def test_an_observer_that_raises_does_not_keep_the_others_from_being_called(manage):
    calls = []

    enqueue(manage(Recorder("a", calls), Failing(), Recorder("b", calls)))

    assert calls == ["b", "a"]


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError()])
def test_an_observer_that_raises_what_is_no_exception_does_not_end_the_worker(manage, error):
    class Exiting:
        @hookimpl
        def huey_after_enqueue(self):
            raise error

    calls = []
    enqueue(manage(Recorder("a", calls), Exiting()))

    assert calls == ["a"]


def test_an_interrupt_in_an_observer_passes_through(manage):
    class Interrupted:
        @hookimpl
        def huey_after_enqueue(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enqueue(manage(Interrupted()))


def no_hook(): ...


@pytest.mark.parametrize(
    ("way", "hook", "reason"),
    [
        (
            "notify",
            hookspecs.huey_before_enqueue,
            r"of which every result counts: call_all\(\) calls it",
        ),
        ("call", hookspecs.huey_before_enqueue, r"of which every result counts: call_all\(\) calls it"),
        ("call_all", hookspecs.huey_execute, r"of which the first result counts: call\(\) calls it"),
        ("call", hookspecs.huey_after_enqueue, r"an observer: notify\(\) calls it"),
        ("call_all", hookspecs.huey_after_enqueue, r"an observer: notify\(\) calls it"),
        ("notify", no_hook, "'no_hook' is no hook"),
        ("call", no_hook, "'no_hook' is no hook"),
        ("has", no_hook, "'no_hook' is no hook"),
    ],
)
def test_an_unknown_hook_and_one_of_the_other_kind_are_refused(manage, way, hook, reason):
    with pytest.raises(UnknownHook, match=reason):
        getattr(manage(), way)(hook)


def decorated(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)

    return inner


@pytest.mark.parametrize("others", [0, 1])
def test_a_control_hook_passes_its_arguments_by_position_however_many_implement_it(manage, others):
    class Plugin:
        @hookimpl
        @decorated
        def huey_before_enqueue(self, invoker, command):
            seen.append((invoker, command))

    class Other:
        @hookimpl
        def huey_before_enqueue(self): ...

    seen = []
    manager = manage(Plugin(), *[Other()] * others)

    manager.call_all(hookspecs.huey_before_enqueue, invoker="invoker", command="command")

    assert seen == [("invoker", "command")]


def test_a_control_hook_may_raise(manage):
    class Veto:
        @hookimpl
        def huey_before_enqueue(self, command):
            raise CommandRejected(command)

    with pytest.raises(CommandRejected):
        manage(Veto()).call_all(hookspecs.huey_before_enqueue, invoker=None, command="c")


def test_a_manager_knows_which_hooks_are_implemented(manage):
    manager = manage(Recorder("a", []))

    assert [manager.has(hook) for hook in (hookspecs.huey_after_enqueue, hookspecs.huey_execute)] == [True, False]


def test_a_plugin_is_called_after_its_module_or_its_class(manage):
    manager = manage(Failing(), Failing())
    manager.register(Recorder("a", []), "recorder")

    assert manager.names() == [f"{__name__}.Failing", f"{__name__}.Failing#2", "recorder"]


def test_a_plugin_that_is_given_twice_is_there_once(manage):
    calls = []
    plugin = Recorder("a", calls)

    enqueue(manage(plugin, plugin))

    assert calls == ["a"]


def test_two_plugins_cannot_have_one_name(manage):
    manager = manage()
    manager.register(Recorder("a", []), "recorder")

    with pytest.raises(PluginConflict, match="two plugins are called 'recorder'"):
        manager.register(Recorder("b", []), "recorder")


def test_an_unknown_hook_is_refused_with_the_plugin_and_the_closest_hook(manage):
    class Misspelt:
        @hookimpl
        def huey_after_enqeue(self, command):
            pass

    with pytest.raises(UnknownHook, match=r"Misspelt' implements 'huey_after_enqeue'.*mean 'huey_after_enqueue'"):
        manage(Misspelt())


def test_an_optional_hook_may_be_unknown(manage):
    class Ahead:
        @hookimpl(optionalhook=True)
        def huey_of_a_later_version(self):
            pass

    assert manage(Ahead()).names() == [f"{__name__}.{Ahead.__qualname__}"]


@pytest.mark.parametrize("kind", ["wrapper", "hookwrapper"])
def test_a_wrapper_around_an_observer_is_refused(manage, kind):
    class Wrapper:
        @hookimpl(**{kind: True})
        def huey_after_enqueue(self):
            yield

    with pytest.raises(PluginException, match=r"Wrapper' wraps 'huey_after_enqueue', which only observes"):
        manage(Wrapper())


def test_an_argument_that_a_hook_does_not_have_is_refused(manage):
    with pytest.raises(PluginException, match=r"Greedy' is refused: .*queue"):
        manage(Greedy([]))


def test_a_refused_plugin_leaves_nothing_behind(manage):
    manager = manage()
    calls = []
    with pytest.raises(PluginException):
        manager.register(Greedy(calls))

    manager.register(Recorder("a", calls), "recorder")
    enqueue(manager)

    assert (manager.names(), calls) == (["recorder"], ["a"])


def test_a_class_is_refused(manage):
    with pytest.raises(PluginException, match=r"Failing' is a class; give an instance"):
        manage(Failing)


def test_a_text_that_blocks_nothing_is_refused(manage):
    with pytest.raises(ConfigurationError, match="'tracing' is neither"):
        manage("tracing")


def test_a_function_named_like_a_hook_without_the_mark_is_warned_of(manage, caplog):
    class Unmarked:
        def huey_after_enqueue(self):
            raise NotImplementedError

    enqueue(manage(Unmarked()))

    assert "huey_after_enqueue of plugin" in caplog.text
    assert "is never called: it is not marked @hookimpl" in caplog.text


def test_a_plugin_of_another_api_version_is_refused_by_name(manage):
    class Future:
        HUEY_PLUGIN_API = HUEY_PLUGIN_API + 1

    with pytest.raises(PluginIncompatible, match=rf"Future' was written for version {HUEY_PLUGIN_API + 1}"):
        manage(Future())


def test_installed_plugins_are_loaded_and_called(site):
    site.install("huey-calls", {PLUGINS: {"calls": "calls_module"}}, {"calls_module": CALLS})

    manager = PluginManager()
    enqueue(manager)

    import calls_module

    assert "calls" in manager.names()
    assert calls_module.calls == ["command"]


def test_an_installed_plugin_may_be_an_object(site):
    source = CALLS + "\n    class P:\n        HUEY_PLUGIN_API = 1\n    plugin = P()"
    site.install("huey-calls", {PLUGINS: {"calls": "calls_module:plugin"}}, {"calls_module": source})

    assert "calls" in PluginManager().names()


def test_installed_plugins_are_registered_in_the_order_of_their_distributions(site):
    site.install("huey-b", {PLUGINS: {"a": "calls_a"}}, {"calls_a": CALLS})
    site.install("huey-a", {PLUGINS: {"b": "calls_b"}}, {"calls_b": CALLS})

    assert [name for name in PluginManager().names() if name in "ab"] == ["b", "a"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import absent_driver", "it needs the module 'absent_driver'"),
        ("raise OSError('no device')", "raised OSError: no device"),
        ("HUEY_PLUGIN_API = 99", "was written for version 99 of the plugin API"),
    ],
)
def test_a_broken_installed_plugin_is_a_warning_and_the_others_are_used(site, caplog, source, reason):
    site.install("huey-broken", {PLUGINS: {"broken": "broken_module"}}, {"broken_module": source})
    site.install("huey-calls", {PLUGINS: {"calls": "calls_module"}}, {"calls_module": CALLS})

    names = PluginManager().names()

    assert "calls" in names
    assert "broken" not in names
    assert reason in caplog.text


def test_a_broken_installed_plugin_is_an_error_when_strict(site):
    site.install("huey-broken", {PLUGINS: {"broken": "broken_module"}}, {"broken_module": "import absent_driver"})

    with pytest.raises(PluginLoadError, match="absent_driver"):
        PluginManager(strict=True)


def test_an_unknown_hook_of_an_installed_plugin_is_an_error(site):
    source = CALLS.replace("huey_after_enqueue", "huey_after_everything")
    site.install("huey-typo", {PLUGINS: {"typo": "typo_module"}}, {"typo_module": source})

    with pytest.raises(UnknownHook, match="'typo' implements 'huey_after_everything'") as caught:
        PluginManager()

    assert (caught.value.plugin, caught.value.distribution) == ("typo", "huey-typo")


def test_two_distributions_with_one_plugin_name_are_a_warning_that_names_both(site, caplog):
    site.install("huey-calls", {PLUGINS: {"calls": "calls_module"}}, {"calls_module": CALLS})
    site.install("more-calls", {PLUGINS: {"calls": "more_module"}}, {"more_module": CALLS})

    names = PluginManager().names()

    assert "calls" not in names
    assert "'calls' is claimed by huey-calls 1.0 (calls_module) and more-calls 1.0 (more_module)" in caplog.text


def test_a_plugin_whose_name_is_not_lower_case_is_reported(site, caplog):
    site.install("huey-calls", {PLUGINS: {"Calls": "calls_module"}}, {"calls_module": CALLS})

    PluginManager()

    assert "plugin 'Calls' of huey-calls 1.0 is not used: its name is not lower case" in caplog.text


@pytest.mark.parametrize("name", ["calls", "huey-calls", "Huey_Calls"])
def test_a_plugin_is_blocked_by_the_environment(site, monkeypatch, caplog, name):
    monkeypatch.setenv("HUEY_DISABLE_PLUGINS", f"{name},")
    site.install("huey-calls", {PLUGINS: {"calls": "calls_module"}}, {"calls_module": "raise SystemExit"})

    assert "calls" not in PluginManager().names()
    assert caplog.text == ""


@pytest.mark.parametrize("name", ["calls", "huey-calls"])
def test_a_plugin_is_blocked_by_the_program(site, name):
    site.install("huey-calls", {PLUGINS: {"calls": "calls_module"}}, {"calls_module": "raise SystemExit"})

    assert "calls" not in PluginManager([f"no:{name}"]).names()


def test_a_block_of_something_that_is_not_installed_is_warned_of(site, monkeypatch, caplog):
    monkeypatch.setenv("HUEY_DISABLE_PLUGINS", "tracign")

    PluginManager(["no:metrisc"])

    assert "'tracign' is blocked" in caplog.text
    assert "'metrisc' is blocked" in caplog.text


def test_the_trace_names_each_hook_and_its_plugins_in_the_order_of_the_calls(manage, monkeypatch, caplog):
    class Both(Recorder):
        @hookimpl
        def huey_before_enqueue(self):
            pass

    monkeypatch.setenv("HUEY_TRACE_PLUGINS", "1")
    caplog.set_level(logging.INFO)
    manager = manage()
    manager.register(Both("a", []), "a")
    manager.register(Both("b", []), "b")

    enqueue(manager)
    manager.call_all(hookspecs.huey_before_enqueue, invoker=None, command=None)
    manager.notify(hookspecs.huey_command_expired, invoker=None, command=None)

    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "huey_after_enqueue is called in: b, a",
        "huey_before_enqueue is called in: b, a",
        "huey_command_expired is called in: no plugin",
    ]


class Answering:
    def __init__(self, answer):
        self.answer = answer

    @hookimpl
    def huey_retry_delay(self, command):
        return self.answer


class Adding:
    @hookimpl(wrapper=True)
    def huey_retry_delay(self):
        return (yield) + 1


@pytest.mark.parametrize(
    ("plugins", "answer"),
    [
        ([Answering(5.0)], 5.0),
        ([Answering(None)], None),
        ([Answering(5.0), Answering(None)], 5.0),
        ([Answering(5.0), Answering(7.0)], 7.0),
        ([Answering(5.0), Adding()], 6.0),
    ],
)
def test_calling_a_hook_directly_is_the_same_as_through_pluggy(plugins, answer):
    manager = PluginManager(plugins, installed=False)
    arguments = {"invoker": None, "command": None, "error": None}

    assert manager.call(hookspecs.huey_retry_delay, **arguments) == answer
    assert manager._pluggy.hook.huey_retry_delay(**arguments) == answer
