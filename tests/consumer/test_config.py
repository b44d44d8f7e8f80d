"""Settings are checked, and found where the command line says they are."""

from __future__ import annotations

import sys

import pytest

from huey_core import Invoker, queue_command
from huey_core.commands.registry import default_registry
from huey_core.consumer import BaseConfiguration, Consumer, ConsumerConfig
from huey_core.consumer.config import invoker_of, load_configuration, read_configuration
from huey_core.exceptions import ConfigurationError
from huey_core.hookspecs import hookimpl


def test_a_class_gives_the_settings():
    class Configuration(BaseConfiguration):
        THREADS = 7
        PERIODIC = False

    config = read_configuration(Configuration)

    assert (config.threads, config.periodic) == (7, False)


def test_the_command_line_goes_before_the_class():
    class Configuration(BaseConfiguration):
        THREADS = 7
        LEASE = 20.0

    config = read_configuration(Configuration, threads=2, lease=None)

    assert (config.threads, config.lease) == (2, 20.0)


def test_the_class_and_the_checked_values_agree_on_every_default():
    assert read_configuration(BaseConfiguration) == ConsumerConfig()


def test_an_unknown_setting_offers_the_closest():
    class Configuration(BaseConfiguration):
        THREAD = 7

    with pytest.raises(ConfigurationError, match="did you mean 'THREADS'"):
        read_configuration(Configuration)


@pytest.fixture
def write_module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", {**sys.modules})

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)

    return write


def test_a_configuration_is_found_in_the_current_directory(write_module):
    write_module(
        "shop_settings",
        "from huey_core.consumer import BaseConfiguration\n"
        "from huey_core import Invoker\n"
        "class Configuration(BaseConfiguration):\n"
        "    INVOKER = Invoker('memory://')\n",
    )

    configuration, invoker = load_configuration("shop_settings.Configuration")

    assert invoker is configuration.INVOKER


def test_queue_and_stores_may_be_given_as_in_the_original(write_module):
    write_module(
        "old_settings",
        "from huey_core.consumer import BaseConfiguration\n"
        "from huey_memory import MemoryQueue\n"
        "class Configuration(BaseConfiguration):\n"
        "    QUEUE = MemoryQueue('old')\n"
        "    RESULT_STORE = 'memory://'\n",
    )

    _, invoker = load_configuration("old_settings.Configuration")

    assert isinstance(invoker, Invoker)
    assert invoker.queue.name == "old"
    assert invoker.result_store is not None
    assert invoker.task_store is None


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("Configuration", "not a path"),
        ("nowhere_at_all.Configuration", "no module 'nowhere_at_all'"),
        ("half_settings.Settings", "it has Configuration"),
        ("half_settings.Configuration", "neither INVOKER nor QUEUE"),
    ],
)
def test_a_path_that_leads_nowhere_says_so(write_module, path, message):
    write_module(
        "half_settings",
        "from huey_core.consumer import BaseConfiguration\nclass Configuration(BaseConfiguration): ...\n",
    )

    with pytest.raises(ConfigurationError, match=message):
        load_configuration(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("invoker", "settings_beside.invoker is an object of type Invoker, not a subclass of BaseConfiguration"),
        ("invoker", "write one with INVOKER = invoker"),
        ("Other", "is a class, not a subclass of BaseConfiguration"),
    ],
)
def test_a_path_to_something_else_says_what_it_is(write_module, name, message):
    write_module("settings_beside", "from huey_core import Invoker\ninvoker = Invoker('memory://')\nclass Other: ...\n")

    with pytest.raises(ConfigurationError, match=message):
        load_configuration(f"settings_beside.{name}")


@pytest.mark.parametrize("name", ["QUEUE", "RESULT_STORE", "TASK_STORE", "SERIALIZER"])
def test_what_an_invoker_has_already_is_not_set_beside_it(name):
    class Configuration(BaseConfiguration):
        INVOKER = Invoker("memory://")

    setattr(Configuration, name, "json" if name == "SERIALIZER" else "memory://")

    with pytest.raises(ConfigurationError, match=f"sets INVOKER, .* so remove {name}$"):
        invoker_of(Configuration)


def test_an_invoker_is_no_url_and_a_password_in_it_is_not_shown():
    class Configuration(BaseConfiguration):
        INVOKER = "redis://:s3cret@localhost/0"

    with pytest.raises(ConfigurationError, match=r"must be an Invoker, such as Invoker\.from_url\(") as caught:
        invoker_of(Configuration)
    assert "s3cret" not in str(caught.value)


def test_a_store_for_results_that_would_be_ignored_is_refused():
    class Configuration(BaseConfiguration):
        QUEUE = "memory://?queue=mail&results=answers"

    with pytest.raises(ConfigurationError, match="results=, but without RESULT_STORE"):
        invoker_of(Configuration)


def test_a_store_for_results_may_be_named_in_the_url_that_queue_and_results_share():
    class Configuration(BaseConfiguration):
        QUEUE = RESULT_STORE = "memory://?queue=mail&results=answers"

    assert invoker_of(Configuration).result_store is not None


def test_what_is_missing_inside_the_module_is_not_blamed_on_the_module(write_module):
    write_module("broken_settings", "import something_that_is_not_installed\n")

    with pytest.raises(ModuleNotFoundError, match="something_that_is_not_installed"):
        load_configuration("broken_settings.Configuration")


class Settings(BaseConfiguration):
    THREADS = 2


@pytest.mark.parametrize("config", [Settings, Settings()])
def test_a_consumer_takes_its_settings_as_a_configuration(invoker, config):
    assert Consumer(invoker, config).config.threads == 2


@pytest.mark.parametrize("config", [{"threads": 2}, 2, "main.Configuration"])
def test_what_is_no_configuration_is_refused_before_a_plugin_is_asked(make_invoker, config):
    configured = []

    class Watcher:
        @hookimpl
        def huey_consumer_configure(self, config):
            configured.append(config)

    with pytest.raises(ConfigurationError, match="BaseConfiguration"):
        Consumer(make_invoker(plugins=[Watcher()]), config)

    assert configured == []


def test_a_configuration_of_another_invoker_is_refused(make_invoker):
    class Configuration(BaseConfiguration):
        INVOKER = make_invoker()

    with pytest.raises(ConfigurationError, match="INVOKER"):
        Consumer(make_invoker(), Configuration)


def test_a_url_is_no_invoker_and_is_not_repeated():
    with pytest.raises(ConfigurationError, match="takes the invoker first") as caught:
        Consumer("redis://:s3cret@localhost/")

    assert "s3cret" not in str(caught.value)


@pytest.fixture
def pickling():
    """An application's invoker that writes pickles, with a command in the default registry."""
    invoker = Invoker.from_url("memory://?queue=pickling", serializer="pickle")

    @queue_command(invoker, name="pickling.add")
    def add(one, other):
        return one + other

    yield invoker
    default_registry.unregister("pickling.add")
    invoker.close()


def test_an_own_invoker_that_cannot_read_what_the_application_writes_is_refused(pickling):
    class Configuration(BaseConfiguration):
        QUEUE = pickling.queue

    with pytest.raises(ConfigurationError, match="'pickle'") as caught:
        invoker_of(Configuration)

    assert "pickling.add" in str(caught.value)
    assert "SERIALIZER" in str(caught.value)


def test_an_own_invoker_with_the_serializer_of_the_application_is_taken(pickling):
    class Configuration(BaseConfiguration):
        QUEUE = pickling.queue
        SERIALIZER = "pickle"

    assert invoker_of(Configuration).serializer.name == "pickle"


def test_an_own_invoker_of_another_queue_may_have_another_serializer(pickling):
    class Configuration(BaseConfiguration):
        QUEUE = "memory://?queue=not-pickling"

    assert invoker_of(Configuration).serializer.name == "json"


@pytest.mark.parametrize(
    ("served", "said"),
    [
        ([], "names no queue"),
        ({}, "names no queue"),
        ("mail", "must be a list of names"),
        ({"mail"}, "must be a list of names"),
        (["mail", "reports", "mail"], "has the queue 'mail' twice"),
        (["mail", 3], "names of queues, not 3"),
        ([""], "names of queues, not ''"),
        (["huey-state:mail"], "in SERVE_QUEUES must not begin with 'huey-state:'"),
        ({"mail": 0}, "the weight of the queue 'mail' must be a positive number"),
        ({"mail": -1}, "a positive number"),
        ({"mail": True}, "a positive number"),
        ({"mail": float("nan")}, "a positive number"),
        ({"mail": "3"}, "a positive number"),
    ],
    ids=str,
)
def test_queues_that_cannot_be_served_are_refused(served, said):
    with pytest.raises(ConfigurationError, match=said):
        ConsumerConfig(serve_queues=served)
