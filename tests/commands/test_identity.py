"""What is defined again is known from a second command of its name, by what it is made of and the run of its module."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
import textwrap
import threading
from functools import partial, wraps
from types import ModuleType

import pytest

from huey_core import CommandRegistry, QueueCommand, crontab, periodic_command, queue_command
from huey_core.commands.function_command import FunctionCommand
from huey_core.exceptions import CommandConflict
from huey_memory import MemoryQueue


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


@pytest.mark.parametrize(
    ("one", "other"),
    [({"retries": 1}, {"retries": 2}), ({"unique_key": lambda: "one"}, {"unique_key": lambda: "other"})],
)
def test_one_function_with_two_sets_of_options_needs_two_names(invoker, pay, one, other):
    queue_command(invoker, **one)(pay)

    with pytest.raises(CommandConflict):
        queue_command(invoker, **other)(pay)
    queue_command(invoker, **other, name="shop.pay_twice")(pay)

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


def logged(function):
    @wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


def counted(function):
    def wrapper(*args):
        return function(*args)

    return wrapper


@pytest.mark.parametrize("decorator", [logged, counted, lambda function: logged(counted(function))])
def test_two_functions_of_one_name_behind_a_decorator_conflict(invoker, decorator):
    queue_command(invoker, name="notify")(decorator(lambda to: "mail"))

    with pytest.raises(CommandConflict, match=r"(?s)'notify'.*name='\.\.\.'"):
        queue_command(invoker, name="notify")(decorator(lambda to: "SMS"))


@pytest.mark.parametrize("decorator", [lambda function: function, logged])
def test_one_function_may_be_decorated_for_two_invokers(make_invoker, pay, decorator):
    registry = CommandRegistry()

    queue_command(make_invoker(registry=registry))(decorator(pay))
    queue_command(make_invoker(registry=registry))(decorator(pay))

    assert list(registry) == ["shop.pay"]


def test_two_functions_that_one_function_has_made_conflict_if_they_differ(invoker):
    def define(country):
        @queue_command(invoker, name="report")
        def report():
            return country

    define("France")
    define("France")

    with pytest.raises(CommandConflict, match=r"registry=CommandRegistry\(\)"):
        define("Norway")


def test_functions_that_enclose_each_other_are_compared_once(invoker):
    names = [f"f{number}" for number in range(20)]
    lines = ["def make(country):", *(f"  def {name}(): return {', '.join(names)}, country" for name in names)]
    namespace = {"__name__": "shop"}
    exec("\n".join([*lines, "  return f0"]), namespace)
    decorate = queue_command(invoker, name="report")
    decorate(namespace["make"]("France"))
    decorate(namespace["make"]("France"))

    with pytest.raises(CommandConflict):
        decorate(namespace["make"]("Norway"))


@pytest.mark.parametrize("other", [partial(print, 2), partial(print, 1, sep=""), partial(repr, 1)])
def test_two_partials_of_one_name_conflict_if_they_differ(other):
    registry = CommandRegistry()
    registry.register(calling(partial(print, 1)))
    registry.register(calling(partial(print, 1)))

    with pytest.raises(CommandConflict):
        registry.register(calling(other))


def calling(function) -> type[QueueCommand]:
    attributes = {"command_name": "shop.show", "function": staticmethod(function)}
    return type(QueueCommand)("Calling", (FunctionCommand,), attributes, declare=False)


def test_a_periodic_command_with_two_times_needs_two_names(invoker, pay):
    periodic_command(invoker, crontab(hour=3, minute=0))(pay)
    periodic_command(invoker, crontab(hour=3, minute=0))(pay)

    with pytest.raises(CommandConflict):
        periodic_command(invoker, crontab(hour=4, minute=0))(pay)


@pytest.fixture
def write_module(tmp_path, monkeypatch, invoker):
    """Write the module of a package whose folder is on the path beside the package's own; it may use ``invoker``."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr("huey_core.commands.base.on_declaration", [invoker.registry.register])
    application = ModuleType("application")
    vars(application).update(invoker=invoker, QueueCommand=QueueCommand, queue_command=queue_command)
    monkeypatch.setitem(sys.modules, "application", application)
    (tmp_path / "shop").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "shop")

    def write(*lines: str) -> None:
        (tmp_path / "shop" / "written.py").write_text("\n".join(("from application import *", *lines)))

    yield write
    for name in ("written", "shop", "shop.written"):
        sys.modules.pop(name, None)


FUNCTION = "@queue_command(invoker, retries={retries})\ndef Pay(): ..."


NAMED = "pay = queue_command(invoker, retries={retries}, name='written.Pay')(lambda: None)"


CLASS = "class Pay(QueueCommand):\n    retries = {retries}"


CLASS_WITH_CODE = f"{CLASS}\n    def execute(self): ..."


@pytest.mark.parametrize("definition", [FUNCTION, NAMED, CLASS, CLASS_WITH_CODE])
def test_a_module_that_is_edited_and_reloaded_replaces_its_commands(write_module, invoker, definition):
    write_module(definition.format(retries=1))
    module = importlib.import_module("written")
    before = invoker.registry.get("written.Pay")

    write_module("# an edit", definition.format(retries=2))
    importlib.reload(module)

    assert invoker.registry.get("written.Pay") is not before


@pytest.mark.parametrize("definition", [FUNCTION, CLASS])
def test_a_second_definition_after_a_reload_conflicts_as_ever(write_module, definition):
    write_module(definition.format(retries=1))
    module = importlib.import_module("written")

    write_module(*[definition.format(retries=1)] * 2)

    with pytest.raises(CommandConflict):
        importlib.reload(module)


@pytest.mark.parametrize("definition", [FUNCTION, CLASS_WITH_CODE])
@pytest.mark.parametrize(
    ("module", "file"),
    [("__main__", "/notebook/{}.py"), ("__main__", "<stdin>"), ("__console__", "<console>")],
)
def test_what_is_typed_again_replaces_the_command_of_before(monkeypatch, invoker, definition, module, file):
    monkeypatch.setattr("huey_core.commands.base.on_declaration", [invoker.registry.register])
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    names = {"__name__": module, "invoker": invoker, "QueueCommand": QueueCommand, "queue_command": queue_command}

    for cell in (1, 2, 3):
        text = f"# {cell * '-'}\n" * cell + definition.format(retries=cell)
        exec(compile(text, file.format(cell), "exec"), names)

    [name] = invoker.registry
    found = invoker.registry.get(name)
    assert (getattr(found, "retries", None) or found.defaults.retries) == 3


@pytest.mark.parametrize("definition", [FUNCTION, CLASS_WITH_CODE])
def test_two_examples_of_one_module_may_define_a_command_of_one_name(monkeypatch, invoker, definition):
    monkeypatch.setattr("huey_core.commands.base.on_declaration", [invoker.registry.register])
    names = {"__name__": "shop", "invoker": invoker, "QueueCommand": QueueCommand, "queue_command": queue_command}
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    lines = definition.format(retries=1).splitlines()
    text = "\n".join((f">>> {lines[0]}", *(f"... {line}" for line in lines[1:])))

    for name in ("shop.pay", "shop.refund"):
        runner.run(parser.get_doctest(text, names, name, "shop.py", 0), clear_globs=False)

    assert runner.summarize().failed == 0


@pytest.mark.parametrize("definition", [FUNCTION, CLASS])
def test_a_file_that_is_imported_as_two_modules_conflicts_with_itself(write_module, definition):
    write_module(definition.format(retries=1))
    importlib.import_module("shop.written")

    with pytest.raises(CommandConflict, match=r"written\.py is imported as shop\.written and as written, so Pay"):
        importlib.import_module("written")


def test_a_command_with_a_name_of_its_own_is_one_in_two_modules(write_module, invoker):
    write_module(NAMED.format(retries=1))

    for module in ("shop.written", "written"):
        importlib.import_module(module)

    assert list(invoker.registry) == ["written.Pay"]


def test_a_script_that_is_imported_by_another_name_is_told_how_to_run_it(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "written.py").write_text(
        "from huey_core import *\nimport sys\nsys.path[0] = '.'\nclass Pay(QueueCommand): ...\nimport shop.written"
    )

    ran = subprocess.run([sys.executable, "shop/written.py"], check=False, capture_output=True, text=True, cwd=tmp_path)

    assert "run it as python -m shop.written" in ran.stderr


def test_a_value_that_registers_a_command_when_it_is_compared_does_not_block():
    class Lazy:
        def __eq__(self, other):
            registry.register(pay, replace=True)
            return True

        __hash__ = None

    registry = CommandRegistry()
    pay = type(QueueCommand)("Pay", (QueueCommand,), {"command_name": "shop.pay"}, declare=False)
    registry.register(calling(partial(print, Lazy())))
    again = threading.Thread(target=registry.register, args=[calling(partial(print, Lazy()))], daemon=True)

    again.start()
    again.join(10)

    assert not again.is_alive()
    assert list(registry) == ["shop.pay", "shop.show"]
