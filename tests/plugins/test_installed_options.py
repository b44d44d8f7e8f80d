"""Commands that are defined where no invoker is known have the options of the installed plugins."""

from __future__ import annotations

import pytest

from huey_core import QueueCommand, queue_command
from huey_core.commands.options import CommandOptions
from huey_core.exceptions import ConfigurationError
from huey_core.invoker.deferred import DeferredInvoker
from huey_core.plugins.discovery import PLUGINS

LIMITS = """
    from huey_core import hookimpl
    from huey_core.commands import CommandOption, flag

    print("loaded")
    EXCLUSIVE = CommandOption("exclusive", flag, False, travels=True, help="Something.")

    @hookimpl
    def huey_command_options():
        return [EXCLUSIVE]
"""


@pytest.fixture
def limits(site):
    """An installed plugin with the option ``exclusive``, whose module prints a line when it is imported."""
    site.install("huey-limits", {PLUGINS: {"limits": "limits_of_this_test"}}, {"limits_of_this_test": LIMITS})
    return site


def test_a_class_of_commands_has_an_option_of_an_installed_plugin(limits):
    class Note(QueueCommand, declare=False):
        defaults = CommandOptions.build(exclusive=True)

    assert Note().options.extra == {"exclusive": True}


def test_one_command_of_a_class_has_it(limits):
    assert QueueCommand(overrides={"exclusive": True}).options.extra == {"exclusive": True}


def test_a_deferred_invoker_has_it(limits):
    queue_command(DeferredInvoker(lambda: None), exclusive=True)


def test_a_misspelt_one_is_told_with_the_closest_name(limits):
    with pytest.raises(ConfigurationError, match="did you mean 'exclusive'"):
        CommandOptions.build(exclusiv=True)


def test_without_the_plugin_it_is_unknown(site):
    with pytest.raises(ConfigurationError, match="no option 'exclusive'"):
        CommandOptions.build(exclusive=True)


def test_whoever_imports_commands_alone_has_it(limits):
    printed = limits.run(
        """
        from huey_core.commands import CommandOptions
        print(CommandOptions.build(exclusive=True).extra)
        """
    )

    assert printed == "loaded\n{'exclusive': True}\n"


def test_core_options_load_no_plugin(limits):
    printed = limits.run(
        """
        from huey_core import Invoker, QueueCommand, queue_command
        from huey_core.commands import CommandOptions
        from huey_core.invoker import DeferredInvoker

        for invoker in (Invoker.from_url("memory://"), DeferredInvoker(lambda: None)):
            queue_command(invoker, retries=3, priority=1)
        CommandOptions.build(retries=3)
        QueueCommand(retries=3)
        """
    )

    assert printed == ""


ALERTS = """
    from huey_core import hookimpl
    from huey_core.commands import CommandOption, flag

    import shop_of_this_test

    @hookimpl
    def huey_command_options():
        return [CommandOption("alerts", flag, False, help="Something.")]
"""
SHOP = """
    from huey_core import QueueCommand, queue_command
    from huey_core.commands import CommandOptions
    from settings_of_this_test import invoker

    @queue_command(invoker, exclusive=True)
    def sell(): ...

    class Buy(QueueCommand):
        defaults = CommandOptions.build(exclusive=True)
"""


@pytest.mark.parametrize(
    "first_use", ["invoker.plugins", "CommandOptions.build(exclusive=True)", "queue_command(invoker, exclusive=True)"]
)
def test_the_module_of_a_plugin_may_define_commands_with_options_of_another_plugin(limits, first_use):
    settings = 'from huey_core import Invoker\ninvoker = Invoker.from_url("memory://")'
    modules = {"alerts_of_this_test": ALERTS, "shop_of_this_test": SHOP, "settings_of_this_test": settings}
    limits.install("huey-alerts", {PLUGINS: {"alerts": "alerts_of_this_test"}}, modules)

    printed = limits.run(
        f"""
        import sys
        from huey_core import queue_command
        from huey_core.commands import CommandOptions
        from settings_of_this_test import invoker

        {first_use}
        print(sorted(CommandOptions.build(exclusive=True, alerts=True).extra))
        queue_command(invoker, exclusive=True, alerts=True)
        print(sys.modules["shop_of_this_test"].sell.command_class.defaults.extra)
        """
    )

    assert printed.splitlines()[-2:] == ["['alerts', 'exclusive']", "{'exclusive': True}"]
