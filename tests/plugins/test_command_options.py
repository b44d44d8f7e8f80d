"""Which options plugins may offer, and that no two offer the same."""

from __future__ import annotations

import pytest

from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.commands.option import CommandOption
from huey_core.commands.option_checks import flag
from huey_core.exceptions import ConfigurationError, PluginException
from huey_core.hookspecs import hookimpl
from huey_core.plugins.discovery import PLUGINS
from huey_core.plugins.manager import PluginManager
from huey_memory import MemoryQueue
from plugin_options import GIVE_UP_AFTER, GiveUp

OFFERS_LOCK = """
    from huey_core import hookimpl
    from huey_core.commands import CommandOption, flag

    @hookimpl
    def huey_command_options():
        return [CommandOption("lock", flag, False, help="Something.")]
"""


RAISES = """
    from huey_core import hookimpl

    @hookimpl
    def huey_command_options():
        raise KeyError("SHOP_LIMITS")
"""


@pytest.fixture
def manager():
    return PluginManager(installed=False)


def option(name):
    return CommandOption(name, flag, False, help="Something.")


def test_the_options_of_a_plugin_are_known_by_name_and_by_plugin(manager):
    manager.register(GiveUp(), "give-up")

    assert manager.options.by_name == {"give_up_after": GIVE_UP_AFTER}
    assert manager.options.by_plugin == {"give-up": (GIVE_UP_AFTER,)}


def test_two_plugins_with_one_option_are_refused_by_their_names(manager):
    manager.register(GiveUp(option("lock")), "limits")

    with pytest.raises(PluginException, match="plugins 'limits' and 'locks' both offer the option 'lock'"):
        manager.register(GiveUp(option("lock")), "locks")


def test_an_option_of_core_is_not_a_plugins(manager):
    with pytest.raises(PluginException, match="plugins 'huey_core' and 'mine' both offer the option 'retries'"):
        manager.register(GiveUp(option("retries")), "mine")


def test_a_plugin_has_an_option_once(manager):
    with pytest.raises(PluginException, match="'mine' and 'mine' both offer the option 'lock'"):
        manager.register(GiveUp(option("lock"), option("lock")), "mine")


def test_a_plugin_that_is_refused_leaves_nothing_behind(manager):
    manager.register(GiveUp(option("lock")), "limits")

    with pytest.raises(PluginException):
        manager.register(GiveUp(option("rate"), option("lock")), "locks")

    assert manager.names() == ["limits"]
    assert list(manager.options.by_name) == ["lock"]


@pytest.mark.parametrize("answer", [None, "lock", {"lock": flag}, ["lock"], option("lock")])
def test_what_is_no_list_of_options_is_refused(manager, answer):
    class Wrong:
        @hookimpl
        def huey_command_options(self):
            return answer

    with pytest.raises(PluginException, match=r"'wrong' is refused: huey_command_options.* returns a list"):
        manager.register(Wrong(), "wrong")


def test_a_plugin_that_raises_instead_of_offering_options_is_refused_by_its_name(manager):
    class Broken:
        @hookimpl
        def huey_command_options(self):
            raise KeyError("SHOP_LIMITS")

    with pytest.raises(ConfigurationError, match=r"plugin 'broken' is refused: .* raised KeyError: 'SHOP_LIMITS'"):
        manager.register(Broken(), "broken")

    assert manager.names() == []


def test_an_installed_plugin_that_raises_instead_of_offering_options_is_named_where_a_command_is_decorated(site):
    site.install("huey-limits", {PLUGINS: {"limits": "limits_of_test"}}, {"limits_of_test": RAISES})
    invoker = Invoker(MemoryQueue("q"), registry=CommandRegistry())

    with pytest.raises(ConfigurationError, match="plugin 'limits' is refused"):
        queue_command(invoker, lock=True)(print)


def test_nobody_answers_for_another_plugin(manager):
    class Wrapper:
        @hookimpl(wrapper=True)
        def huey_command_options(self):
            return (yield)

    with pytest.raises(PluginException, match="wraps 'huey_command_options', which each plugin answers for itself"):
        manager.register(Wrapper(), "wrapper")


def test_two_installed_plugins_with_one_option_are_refused_whoever_is_loaded_first(site):
    site.install("huey-limits", {PLUGINS: {"limits": "limits_of_test"}}, {"limits_of_test": OFFERS_LOCK})
    site.install("huey-locks", {PLUGINS: {"locks": "locks_of_test"}}, {"locks_of_test": OFFERS_LOCK})

    with pytest.raises(PluginException, match=r"'limits' and 'locks' both .*HUEY_DISABLE_PLUGINS"):
        PluginManager()


def test_of_two_installed_plugins_with_one_option_one_can_be_blocked(site):
    site.install("huey-limits", {PLUGINS: {"limits": "limits_of_test"}}, {"limits_of_test": OFFERS_LOCK})
    site.install("huey-locks", {PLUGINS: {"locks": "locks_of_test"}}, {"locks_of_test": OFFERS_LOCK})

    assert list(PluginManager(["no:limits"]).options.by_plugin) == ["locks"]
