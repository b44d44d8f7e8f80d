"""A registry finds the class of a command by its name, and refuses two classes of one name."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from huey_core import CommandRegistry, PeriodicQueueCommand, QueueCommand, crontab, periodic_command, queue_command
from huey_core.commands.registry import default_registry
from huey_core.exceptions import CommandConflict, CommandNotFound, ConfigurationError
from huey_memory import MemoryQueue


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


def test_a_class_can_be_replaced_on_purpose():
    registry = CommandRegistry()
    registry.register(command_called("shop.pay"))
    newer = command_called("shop.pay")

    registry.register(newer, replace=True)

    assert registry.get("shop.pay") is newer


def test_two_functions_of_one_name_in_one_module_conflict(invoker):
    namespace = {"__name__": "shop", "queue_command": queue_command, "invoker": invoker}
    define = "@queue_command(invoker)\ndef pay(): ..."
    exec(define, namespace)

    with pytest.raises(CommandConflict, match="give one of them another name"):
        exec("\n" + define, namespace)


def test_two_functions_of_one_name_in_two_modules_do_not_conflict(invoker):
    for module in ("shop", "bank"):
        exec(
            "@queue_command(invoker)\ndef pay(): ...",
            {"__name__": module, "queue_command": queue_command, "invoker": invoker},
        )

    assert list(invoker.registry) == ["bank.pay", "shop.pay"]


@pytest.fixture
def pay():
    namespace = {"__name__": "shop"}
    exec("def pay(): ...", namespace)
    return namespace["pay"]


def test_one_function_may_be_decorated_for_two_invokers(make_invoker, pay):
    registry = CommandRegistry()

    queue_command(make_invoker(registry=registry))(pay)
    queue_command(make_invoker(registry=registry))(pay)

    assert list(registry) == ["shop.pay"]


def test_one_function_with_two_sets_of_options_needs_two_names(make_invoker, pay):
    invoker = make_invoker()
    queue_command(invoker, retries=1)(pay)

    with pytest.raises(CommandConflict):
        queue_command(invoker, retries=2)(pay)
    queue_command(invoker, retries=2, name="shop.pay_twice")(pay)

    assert list(invoker.registry) == ["shop.pay", "shop.pay_twice"]


def test_a_periodic_command_of_two_queues_needs_two_names(make_invoker, pay):
    registry = CommandRegistry()
    here, there = make_invoker(registry=registry), make_invoker(registry=registry)
    there.queue = MemoryQueue("there")
    periodic_command(here, crontab())(pay)

    with pytest.raises(CommandConflict):
        periodic_command(there, crontab())(pay)


def test_two_functions_of_one_name_inside_a_function_conflict(invoker):
    @queue_command(invoker)
    def pay():
        return "one"

    with pytest.raises(CommandConflict):

        @queue_command(invoker)
        def pay():
            return "other"


@pytest.mark.parametrize(
    "definition",
    [
        "@queue_command(invoker)\ndef Pay(): ...",
        "@queue_command(invoker, unique_key=lambda: 'all')\ndef Pay(): ...",
        "class Pay(QueueCommand): ...",
        "class Pay(QueueCommand):\n    defaults = CommandOptions.build(unique_key=lambda data: 'all')",
    ],
)
def test_a_script_that_is_imported_again_by_its_name_does_not_conflict_with_itself(tmp_path, definition):
    before = """
        from huey_core import Invoker, QueueCommand, queue_command
        from huey_core.commands.options import CommandOptions
        from huey_core.commands.registry import default_registry
        invoker = Invoker("memory://")
    """
    (tmp_path / "shop.py").write_text(
        f"{textwrap.dedent(before)}\n{definition}\nimport shop\nprint(*default_registry)\n"
    )

    ran = subprocess.run([sys.executable, "shop.py"], check=False, capture_output=True, text=True, cwd=tmp_path)

    assert (ran.returncode, ran.stdout.split()) == (0, ["shop.Pay", "shop.Pay"]), ran.stderr


def test_a_class_that_is_defined_twice_in_one_module_conflicts(tmp_path):
    (tmp_path / "shop.py").write_text(
        textwrap.dedent(
            """
            from huey_core import QueueCommand
            class Pay(QueueCommand): ...
            class Pay(QueueCommand): ...
            """
        )
    )

    ran = subprocess.run([sys.executable, "shop.py"], check=False, capture_output=True, text=True, cwd=tmp_path)

    assert "CommandConflict: two commands are called 'shop.Pay'" in ran.stderr


def test_two_functions_for_the_key_of_one_function_conflict(invoker, pay):
    queue_command(invoker, unique_key=lambda: "one")(pay)

    with pytest.raises(CommandConflict):
        queue_command(invoker, unique_key=lambda: "other")(pay)


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

    with pytest.raises(CommandNotFound, match=r"closest known name is 'shop\.pay'"):
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


def test_a_script_and_its_import_give_a_function_one_name(tmp_path):
    script = tmp_path / "mail.py"
    script.write_text(
        textwrap.dedent(
            """
            from huey_core import Invoker, queue_command
            @queue_command(Invoker("memory://"))
            def send(): ...
            if __name__ == "__main__":
                print(send.command_class.command_name)
            """
        )
    )

    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "mail.send"
