"""A registry finds the class of a command by its name, and refuses two classes of one name."""

from __future__ import annotations

import pytest

from huey_core import CommandRegistry, PeriodicQueueCommand, QueueCommand
from huey_core.commands.registry import default_registry
from huey_core.exceptions import CommandConflict, CommandNotFound, ConfigurationError


def command_called(name: str) -> type[QueueCommand]:
    return type(QueueCommand)("Made", (QueueCommand,), {"command_name": name}, declare=False)


class Written(QueueCommand):
    def execute(self):
        return self.data


def test_a_command_written_as_a_class_is_registered_when_it_is_defined():
    assert default_registry.get(Written.command_name) is Written


def test_a_base_class_can_be_kept_out():
    class Base(QueueCommand, declare=False):
        pass

    assert Base.command_name not in default_registry


def test_two_classes_of_one_name_conflict():
    registry = CommandRegistry()
    registry.register(command_called("shop.pay"))

    with pytest.raises(CommandConflict, match=r"shop\.pay"):
        registry.register(command_called("shop.pay"))


def test_of_two_threads_that_take_one_name_one_gets_it(do_twice_at_once):
    registry = CommandRegistry()

    errors = do_twice_at_once(lambda: registry.register(command_called("shop.pay")), registry, "_check_imports")

    assert [type(error) for error in errors] == [CommandConflict]


def test_a_class_can_be_replaced_on_purpose():
    registry = CommandRegistry()
    registry.register(command_called("shop.pay"))
    newer = command_called("shop.pay")

    registry.register(newer, replace=True)

    assert registry.get("shop.pay") is newer


def test_a_callback_may_leave_while_it_is_called():
    registry = CommandRegistry()
    told = []

    def leave(command_class):
        registry.on_register.remove(leave)

    registry.on_register += [leave, told.append]
    made = command_called("shop.pay")
    registry.register(made)

    assert told == [made]


def test_an_unknown_name_is_an_error_that_offers_the_closest():
    registry = CommandRegistry()
    registry.register(command_called("shop.pay"))

    with pytest.raises(CommandNotFound, match=r"did you mean 'shop\.pay'"):
        registry.get("shop.pya")


def test_a_name_can_be_taken_out():
    registry = CommandRegistry()
    registry.register(command_called("shop.pay"))

    registry.unregister("shop.pay")

    assert "shop.pay" not in registry


def test_a_periodic_command_with_an_unknown_policy_is_refused():
    with pytest.raises(ConfigurationError, match="missed"):

        class Wrong(PeriodicQueueCommand):
            missed = "sometimes"
