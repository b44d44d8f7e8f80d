"""What the decorators make of a function."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from functools import partial, wraps

import pytest

from huey_core import crontab, periodic_command, queue_command
from huey_core.exceptions import ConfigurationError, Unsupported
from huey_core.invoker.deferred import DeferredInvoker
from plain_backend import PlainQueue


def periodic(invoker, **options):
    return periodic_command(invoker, crontab(), **options)


either_decorator = pytest.mark.parametrize("decorate", [queue_command, periodic])


@pytest.fixture
def later(invoker):
    return queue_command(invoker, name="later")(lambda: None)


def test_a_decorated_function_keeps_its_name_and_docstring(invoker):
    @queue_command(invoker)
    def count(num):
        """Count."""

    assert (count.__name__, count.__doc__) == ("count", "Count.")


def test_the_function_itself_can_be_called_here_and_now(invoker):
    @queue_command(invoker)
    def double(num):
        return 2 * num

    assert double.call_local(4) == 8


def test_retries_and_their_delay_may_be_given_by_position(invoker):
    @queue_command(invoker, 3, 20)
    def fragile(): ...

    assert (fragile.command().retries, fragile.command().options.retry_delay) == (3, 20.0)


def test_schedule_keeps_the_retry_settings(invoker):
    @queue_command(invoker, retries=3, retry_delay=20)
    def fragile(): ...

    fragile.schedule(eta=datetime.now() + timedelta(hours=1))

    [message] = invoker.queue.peek("scheduled")
    command = invoker.codec.decode(message.data)
    assert (command.retries, command.options.retry_delay) == (3, 20.0)


def test_options_can_be_changed_for_one_call(invoker):
    @queue_command(invoker, retries=1)
    def fragile(): ...

    fragile.using(retries=5, priority=7)()

    [message] = invoker.queue.peek("ready")
    assert (invoker.codec.decode(message.data).retries, message.priority) == (5, 7)
    assert fragile.command().retries == 1


def test_options_of_one_call_hold_for_schedule_too(invoker, later):
    later.using(priority=7).schedule(delay=60)

    [message] = invoker.queue.peek("scheduled")
    assert message.priority == 7


def test_an_unknown_option_is_refused_when_the_function_is_decorated(invoker):
    with pytest.raises(ConfigurationError, match="did you mean 'priority'"):
        queue_command(invoker, prioritet=1)


def test_an_aware_eta_is_taken_as_it_is(invoker, later):
    later.schedule(eta=datetime(2099, 1, 1, 12, tzinfo=UTC))

    [message] = invoker.queue.peek("scheduled")
    assert message.due == datetime(2099, 1, 1, 12, tzinfo=UTC).timestamp()


def test_a_naive_eta_is_in_utc_already_when_told_so(invoker, later):
    later.schedule(eta=datetime(2099, 1, 1, 12), convert_utc=False)

    [message] = invoker.queue.peek("scheduled")
    assert message.due == datetime(2099, 1, 1, 12, tzinfo=UTC).timestamp()


def test_a_naive_eta_is_local_time_otherwise(tmp_path):
    program = textwrap.dedent(
        """
        from datetime import datetime
        from huey_core import Invoker, queue_command
        invoker = Invoker("memory://")
        @queue_command(invoker)
        def later(): ...
        later.schedule(eta=datetime(2099, 1, 1, 12))
        print(invoker.queue.peek("scheduled")[0].due)
        """
    )

    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"TZ": "Asia/Tokyo"}
    )

    assert float(ran.stdout) == datetime(2099, 1, 1, 3, tzinfo=UTC).timestamp()


def test_a_past_eta_is_ready_at_once(invoker, later):
    later.schedule(eta=datetime.now() - timedelta(days=1))

    assert invoker.queue.counts().ready == 1


def test_eta_and_delay_together_are_refused(later):
    with pytest.raises(ConfigurationError, match="not both"):
        later.schedule(eta=datetime.now(), delay=5)


@pytest.mark.parametrize(("option", "value"), [("priority", 5), ("unique_for", 10), ("unique_key", "x")])
def test_an_option_that_the_queue_cannot_honour_is_refused_when_the_function_is_decorated(make_invoker, option, value):
    invoker = make_invoker()
    invoker.queue = PlainQueue("plain")

    with pytest.raises(Unsupported, match=f"PlainQueue.*{option}"):
        queue_command(invoker, **{option: value})


def test_a_delay_needs_a_queue_or_a_task_store_that_keeps_it(make_invoker):
    invoker = make_invoker()
    invoker.queue = PlainQueue("plain")
    invoker.task_store = None

    @queue_command(invoker)
    def later(): ...

    with pytest.raises(Unsupported, match="task store"):
        later.schedule(delay=5)


def test_a_periodic_command_says_when_it_runs(invoker):
    @periodic_command(invoker, crontab(minute="30"))
    def tidy(): ...

    command = tidy.command()

    assert command.validate_datetime(datetime(2026, 1, 1, 12, 30))
    assert not command.validate_datetime(datetime(2026, 1, 1, 12, 31))


@pytest.mark.parametrize("options", [{"store_result": True}, {"result_ttl": 60}])
def test_an_option_about_results_needs_a_store_that_can_do_it(make_invoker, options):
    with pytest.raises(Unsupported, match="result store"):
        queue_command(make_invoker(results=False), **options)


def test_a_decorator_without_its_invoker_says_how_it_is_written():
    with pytest.raises(ConfigurationError, match=r"@queue_command\(invoker\)"):

        @queue_command
        def forgotten(): ...


@pytest.mark.parametrize("given", ["ab", b"ab", bytearray(b"ab"), 5, {"text": "ab"}, {"ab"}])
def test_what_is_no_list_of_arguments_is_not_taken_for_one(invoker, given):
    @queue_command(invoker)
    def show(text): ...

    with pytest.raises(ConfigurationError, match="as a sequence"):
        show.schedule(given)


def generate():
    yield 1


async def generate_asynchronously():
    yield 1


class Callee:
    def __call__(self): ...


def wrapping(function):
    @wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@either_decorator
@pytest.mark.parametrize("function", [generate, generate_asynchronously])
def test_a_generator_function_is_refused(invoker, decorate, function):
    with pytest.raises(ConfigurationError, match=rf"{function.__name__}\(\) is a generator"):
        decorate(invoker)(function)


@either_decorator
@pytest.mark.parametrize("given", [Callee, None, classmethod(generate)])
def test_what_is_no_function_is_refused(invoker, decorate, given):
    with pytest.raises(ConfigurationError, match="_command decorates a function, not"):
        decorate(invoker, name="given")(given)


@either_decorator
@pytest.mark.parametrize("given", [Callee(), partial(print, 1), [].append])
def test_what_is_called_in_place_of_a_function_needs_a_name(invoker, decorate, given):
    with pytest.raises(ConfigurationError, match=r"has no name that consumers could know it by; .* name='\.\.\.'"):
        decorate(invoker)(given)


@either_decorator
@pytest.mark.parametrize("given", [Callee(), partial(max, 1, 2), Callee().__call__, staticmethod(print)])
def test_whatever_can_be_called_is_a_command_under_a_name(invoker, decorate, given):
    command = decorate(invoker, name="given")(given).command()

    read = invoker.codec.decode(invoker.codec.encode(command))

    assert read.execute() == given()


def test_what_an_object_has_does_not_hide_what_a_command_has(invoker):
    callee = Callee()
    callee.schedule = "of the object"

    assert callable(queue_command(invoker, name="callee")(callee).schedule)


@pytest.mark.parametrize("given", [partial(generate), staticmethod(generate)])
def test_a_generator_function_is_refused_inside_of_what_is_called_in_its_place(invoker, given):
    with pytest.raises(ConfigurationError, match=r"generate\(\) is a generator"):
        queue_command(invoker, name="given")(given)


@either_decorator
def test_a_command_is_not_made_a_command_again(invoker, decorate):
    pay = queue_command(invoker, name="pay")(lambda: None)

    with pytest.raises(ConfigurationError, match="pay is a command already"):
        decorate(invoker)(pay)


@pytest.mark.parametrize(
    ("function", "needed"), [(lambda shop, day=1: None, "'shop'"), (lambda *rest, day, hour=1, **more: None, "'day'")]
)
def test_a_periodic_command_that_needs_arguments_is_refused(invoker, function, needed):
    with pytest.raises(ConfigurationError, match=rf"with arguments, but .* {needed}$"):
        periodic_command(invoker, crontab())(function)


def test_a_periodic_command_may_have_parameters_that_need_no_argument(invoker):
    def with_shop(function):
        @wraps(function)
        def wrapper(*args, days=1, **kwargs):
            return function("shop", *args, **kwargs)

        return wrapper

    @periodic_command(invoker, crontab())
    @with_shop
    def tidy(shop, depth=1):
        return shop

    assert tidy.call_local() == "shop"


def test_the_name_of_an_exception_is_looked_up_for_one_call_too(invoker):
    fragile = queue_command(invoker, retries=1, name="fragile")(lambda: None)

    assert fragile.using(retry_on="json.JSONDecodeError").command().options.may_retry(json.JSONDecodeError("", "", 0))
    with pytest.raises(ConfigurationError, match=r"did you mean 'builtins\.OSError'"):
        fragile.using(give_up_on="OSError")


def test_a_message_that_names_an_exception_that_is_gone_can_be_read(invoker):
    fragile = queue_command(invoker, retries=1, name="fragile")(lambda: None)
    command = fragile.command_class(((), {}), overrides={"retry_on": ("json.Gone", "Gone")})

    assert invoker.codec.decode(invoker.codec.encode(command)).options.retry_on == ("json.Gone", "Gone")


def test_delays_that_contradict_each_other_are_refused_for_one_call_too(invoker):
    @queue_command(invoker, retries=3, retry_max_delay=60)
    def fragile(): ...

    with pytest.raises(ConfigurationError, match="retry_delay is 100 s and retry_max_delay is 60 s"):
        fragile.using(retry_delay=100)


def test_a_message_whose_delays_contradict_those_in_the_code_can_be_read(invoker):
    before = queue_command(invoker, retries=3, name="fragile")(lambda: None)
    command = before.using(retry_delay=100).command()
    message = invoker.codec.encode(command)

    invoker.registry.unregister("fragile")
    queue_command(invoker, retries=3, retry_max_delay=60, name="fragile")(lambda: None)

    assert invoker.codec.decode(message).options.delay_before_retry(0) == 60


@pytest.mark.parametrize("delay", [float("nan"), float("inf"), 1e12, timedelta.max, "5", True])
def test_a_delay_that_is_none_is_refused(later, delay):
    with pytest.raises(ConfigurationError, match="delay"):
        later.schedule(delay=delay)


@pytest.mark.parametrize("delay", [0, -5, timedelta(hours=-1)])
def test_a_delay_that_is_over_runs_at_once(invoker, later, delay):
    later.schedule(delay=delay)

    assert invoker.queue.counts().ready == 1


@pytest.mark.parametrize(
    ("arguments", "named", "parameter"),
    [
        (((1,), None, None, 60), {}, "convert_utc"),
        (((1,),), {"convert_utc": 0}, "convert_utc"),
        (((1,), 60), {}, "kwargs"),
        (((1,), [("num", 1)]), {}, "kwargs"),
        (((1,),), {"eta": 60}, "eta"),
        (((1,),), {"eta": datetime.min}, "eta"),
        (((1,),), {"delay": datetime.now()}, "delay"),
    ],
)
def test_what_schedule_cannot_use_is_refused_by_the_name_of_the_parameter(invoker, arguments, named, parameter):
    @queue_command(invoker)
    def later(num): ...

    with pytest.raises(ConfigurationError, match=rf"\b{parameter}\b"):
        later.schedule(*arguments, **named)


@pytest.mark.parametrize(
    ("ask", "parameter"), [(lambda one: one.revoke(60), "revoke_until"), (lambda one: one.is_revoked(60), "dt")]
)
def test_a_revocation_whose_end_is_no_time_is_refused_by_the_name_of_the_parameter(later, ask, parameter):
    with pytest.raises(ConfigurationError, match=f"^{parameter} must be"):
        ask(later)


def test_a_parameter_of_a_command_may_be_called_self(invoker):
    @queue_command(invoker)
    def link(**relations):
        return relations

    link(self="/orders/1")
    link.using(priority=1)(self="/orders/1")

    sent = [invoker.codec.decode(message.data).data[1] for message in invoker.queue.peek("ready")]
    assert sent == [{"self": "/orders/1"}] * 2
    assert link.command(self=1).data == ((), {"self": 1})
    assert link.call_local(self=1) == {"self": 1}


def test_a_command_of_a_deferred_invoker_is_made_without_asking_for_it():
    def not_yet():
        raise AssertionError("nobody needs it")

    resize = queue_command(DeferredInvoker(not_yet), name="deferred.resize")(lambda path: None)

    assert resize.command("a.png").data == (("a.png",), {})


# Before Python 3.12, what __set_name__ raises comes as the cause of another error.
REFUSED_CLASS = (ConfigurationError, RuntimeError)


@pytest.mark.parametrize("bind", [lambda function: function, wrapping])
def test_a_decorated_method_is_refused_when_its_class_is_made(invoker, bind):
    with pytest.raises(REFUSED_CLASS) as refused:

        class Report:
            @queue_command(invoker)
            @bind
            def render(self): ...

    assert "Report.render is a method" in str(refused.value.__cause__ or refused.value)
    assert not list(invoker.registry)


def test_a_static_method_may_be_a_command_on_either_side_of_the_decorator(invoker):
    class Report:
        @staticmethod
        @queue_command(invoker)
        def outside(num):
            return num

        @queue_command(invoker)
        @staticmethod
        def inside(num):
            return num

        @queue_command(invoker)
        @wrapping
        @staticmethod
        def wrapped(num):
            return num

        @queue_command(invoker)
        def by_its_parameters(num):
            return num

    made = Report()
    for command in (
        *(made.outside.command(1), made.inside.command(1)),
        *(made.wrapped.command(1), Report.by_its_parameters.command(1)),
    ):
        assert command.execute() == 1


def test_an_attribute_of_a_class_may_be_a_command_that_was_made_elsewhere(invoker):
    @queue_command(invoker)
    def send(to): ...

    class Shop:
        notify = send

    Shop().notify("ann")

    assert invoker.queue.counts().ready == 1


def test_a_class_may_have_a_command_of_another_class_whatever_the_two_are_called(invoker):
    class Report:
        @staticmethod
        @queue_command(invoker)
        def render(num): ...

    body = {"render": Report.render, "__module__": "elsewhere", "__qualname__": Report.__qualname__}

    assert type("Report", (), body).render is Report.render


def test_a_periodic_command_in_place_of_a_function_that_needs_arguments_is_refused(invoker):
    with pytest.raises(ConfigurationError, match=r"with arguments, but .* 'day'"):
        periodic_command(invoker, crontab(), name="tidy")(partial(lambda shop, day: None, "shop"))
