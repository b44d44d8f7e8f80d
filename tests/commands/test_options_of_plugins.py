"""The options of a plugin, from the decorator through the message to the run, and in a consumer without the plugin."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core import CommandRegistry, QueueCommand, hookimpl, periodic_command, queue_command
from huey_core.backends.capabilities import Capability
from huey_core.backends.messages import Message, State
from huey_core.commands.codec import CommandCodec
from huey_core.commands.core_options import CORE_OPTIONS
from huey_core.commands.option import CommandOption
from huey_core.commands.option_checks import flag, optional, whole_number
from huey_core.exceptions import ConfigurationError, DecodeError, Unsupported
from huey_core.message import encode_header, read_header, unpack
from huey_core.serializers.json import JSONSerializer
from plain_backend import PlainQueue
from plugin_options import GIVE_UP_AFTER, GiveUp

LOCAL = CommandOption("audited", flag, False, help="Whether the call is noted where it is made.")


@pytest.fixture
def plugin():
    return GiveUp()


@pytest.fixture
def with_plugin(make_invoker, plugin):
    return make_invoker(plugins=[plugin])


class Note(QueueCommand, declare=False):
    command_name = "tests.note"


def add(a, b):
    return a + b


def message_with(invoker, **options):
    decorated = queue_command(invoker, name="add")(add).using(**options)
    return invoker.codec.message(decorated.command(1, 2)).data


def test_a_decorator_takes_an_option_of_a_plugin_of_its_invoker(with_plugin):
    decorated = queue_command(with_plugin, give_up_after=timedelta(minutes=1))(add)

    assert decorated.command(1, 2).options[GIVE_UP_AFTER] == 60.0


def test_a_periodic_command_takes_it(with_plugin):
    decorated = periodic_command(with_plugin, lambda dt: True, give_up_after=5)(lambda: None)

    assert decorated.command().options[GIVE_UP_AFTER] == 5.0


def test_the_option_of_another_invoker_is_unknown(make_invoker, with_plugin):
    with pytest.raises(ConfigurationError, match="no option 'give_up_after'"):
        queue_command(make_invoker(), give_up_after=5)


def test_a_call_takes_it(with_plugin):
    decorated = queue_command(with_plugin, give_up_after=60)(add)

    assert decorated.using(give_up_after=5).command(1, 2).options[GIVE_UP_AFTER] == 5.0


def test_options_for_one_call_add_up(with_plugin):
    decorated = queue_command(with_plugin)(add)

    options = decorated.using(give_up_after=5).using(priority=3).command(1, 2).options

    assert (options[GIVE_UP_AFTER], options.priority) == (5.0, 3)


def test_a_command_that_is_written_as_a_class_takes_it_from_the_table_of_the_invoker(with_plugin):
    class Note(QueueCommand, declare=False):
        defaults = with_plugin.command_options.build({"give_up_after": 60})

    assert Note().options[GIVE_UP_AFTER] == 60.0


def test_an_option_among_the_arguments_is_told_with_the_way_to_say_it(with_plugin):
    decorated = queue_command(with_plugin)(add)

    with pytest.raises(TypeError, match=r"give_up_after is an option: use \.using\(give_up_after=5\)"):
        decorated.command(1, 2, give_up_after=5)


def test_so_it_is_where_the_command_is_enqueued(with_plugin):
    decorated = queue_command(with_plugin)(add)

    with pytest.raises(TypeError, match=r"give_up_after is an option: use \.using\(give_up_after=5\)"):
        decorated(1, 2, give_up_after=5)


def test_a_hook_may_give_one_command_another_value(make_invoker, result_of):
    class Hurried(GiveUp):
        @hookimpl
        def huey_before_enqueue(self, command):
            command.override({**command.overrides, "give_up_after": 1})

    plugin = Hurried()
    decorated = queue_command(make_invoker(plugins=[plugin]), retries=2)(add)

    result_of(decorated.using(give_up_after=60)(1, 2))

    assert plugin.seen == [1.0]


def test_arguments_that_are_missing_load_no_plugin(make_invoker):
    invoker = make_invoker(plugins=["what is refused when plugins are loaded"])

    queue_command(invoker)(add).command(1)


def test_core_options_load_no_plugin(make_invoker):
    invoker = make_invoker(plugins=["what is refused when plugins are loaded"])

    queue_command(invoker, retries=3, priority=1, unique_for=5)(add)


def test_an_unknown_option_loads_the_plugins_once(make_invoker):
    class Counting(GiveUp):
        asked = 0

        @hookimpl
        def huey_command_options(self):
            type(self).asked += 1
            return [GIVE_UP_AFTER]

    invoker = make_invoker(plugins=[Counting()])

    for _ in range(3):
        queue_command(invoker, give_up_after=1)

    assert Counting.asked == 1


def test_an_option_that_needs_what_the_queue_lacks_is_refused(make_invoker):
    needy = CommandOption("shard", optional(whole_number(0)), None, needs=Capability.PRIORITY, help="Something.")
    invoker = make_invoker(plugins=[GiveUp(needy)])

    with invoker.replaced(PlainQueue("plain")), pytest.raises(Unsupported, match=r"'priority', which shard= needs"):
        queue_command(invoker, shard=1)


def test_the_default_of_an_option_needs_nothing(make_invoker):
    needy = CommandOption("shard", optional(whole_number(0)), None, needs=Capability.PRIORITY, help="Something.")
    invoker = make_invoker(plugins=[GiveUp(needy)])

    with invoker.replaced(PlainQueue("plain")):
        queue_command(invoker, shard=None)


class TestMessages:
    def test_what_was_given_for_one_call_travels(self, with_plugin):
        assert read_header(message_with(with_plugin, give_up_after=5)).options == {"give_up_after": 5.0}

    def test_what_the_consumer_does_not_read_does_not_travel(self, make_invoker):
        invoker = make_invoker(plugins=[GiveUp(LOCAL)])

        assert read_header(message_with(invoker, audited=True)).options == {}

    def test_what_was_given_to_the_decorator_stays_in_the_code(self, with_plugin):
        decorated = queue_command(with_plugin, give_up_after=60)(add)

        assert read_header(with_plugin.codec.message(decorated.command(1, 2)).data).options == {}

    def test_a_consumer_with_the_plugin_reads_it(self, with_plugin, plugin, result_of):
        decorated = queue_command(with_plugin, give_up_after=60)(add)

        assert result_of(decorated.using(give_up_after=5)(1, 2)) == 3
        assert plugin.seen == [5.0]

    def test_a_consumer_without_the_plugin_runs_the_command_and_keeps_it_for_a_retry(self, make_invoker, with_plugin):
        message = message_with(with_plugin, give_up_after=5)
        without = make_invoker(registry=CommandRegistry())
        queue_command(without, name="add")(add)

        command = without.codec.decode(message)

        assert command.execute() == 3
        assert read_header(without.codec.encode_retry(command)).options == {"give_up_after": 5.0}

    def test_it_is_kept_beside_options_that_are_known(self, make_invoker, with_plugin):
        message = message_with(with_plugin, retries=3, give_up_after=5)
        without = make_invoker(registry=CommandRegistry())
        queue_command(without, name="add")(add)

        command = without.codec.decode(message)

        assert command.options.retries == 3
        assert read_header(without.codec.encode_retry(command)).options == {"retries": 3, "give_up_after": 5.0}

    @given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text(), max_size=5))
    def test_whatever_option_is_unknown_is_kept_for_a_retry(self, options):
        registry = CommandRegistry()
        registry.register(Note)
        codec = CommandCodec(registry, JSONSerializer(), [JSONSerializer()])
        unknown = {name: value for name, value in options.items() if name not in CORE_OPTIONS}
        header, _, body = unpack(codec.encode(Note("x", overrides={"retries": 3, "keep_failed": False})))
        message = encode_header({**header, "opts": {**header["opts"], **unknown}}) + body

        again = codec.encode_retry(codec.decode(message))

        assert read_header(again).options == {"retries": 3, "keep_failed": False, **unknown}

    def test_a_retry_brings_it_to_a_consumer_that_has_the_plugin(self, make_invoker, run_consumer, eventually):
        plugin, registry = GiveUp(), CommandRegistry()
        with_plugin, without = make_invoker(plugins=[plugin], registry=registry), make_invoker(registry=registry)
        fails = queue_command(with_plugin, name="fails", retries=1, retry_delay=3600)(lambda: 1 / 0)
        fails.using(give_up_after=5)()
        consumer = run_consumer(without)
        (retry,) = eventually(lambda: without.leased_queue.peek(State.SCHEDULED))
        consumer.stop("it lacks the plugin")
        without.leased_queue.delete([retry.message_id])
        with_plugin.leased_queue.write_many([Message(retry.data, retry.message_id)])

        run_consumer(with_plugin)

        eventually(lambda: plugin.seen == [5.0])

    def test_a_value_that_the_plugin_refuses_makes_the_message_unreadable(self, make_invoker, with_plugin):
        strict = CommandOption("give_up_after", flag, False, travels=True, help="Something.")
        message = message_with(with_plugin, give_up_after=5)
        other = make_invoker(registry=CommandRegistry(), plugins=[GiveUp(strict)])
        queue_command(other, name="add")(add)

        with pytest.raises(DecodeError, match="give_up_after must be True or False"):
            other.codec.decode(message)
