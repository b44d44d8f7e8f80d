"""``HUEY`` and ``HUEY_CONFIG``: every form that they may have, and what the project's invoker is then."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import override_settings

from frames import assert_not_shown
from huey_core import hookimpl
from huey_core.consumer import ConsumerConfig
from huey_core.exceptions import EncodeError
from huey_django import get_invoker, queue_command
from huey_django.conf import KEYS, HueySettings, SettingsError
from huey_memory import MemoryDataStore, MemoryQueue
from huey_redis import RedisDataStore, RedisQueue
from huey_testing.rehearsal import Rehearsal

URL = "redis://127.0.0.1:1/5"


@pytest.fixture
def configure():
    """Set ``HUEY`` and ``HUEY_CONFIG`` until the end of the test; each replaces what was there."""
    with override_settings(HUEY=None, HUEY_CONFIG=None):

        def configure(url=None, **config):
            override = override_settings(HUEY=url, HUEY_CONFIG=config or None)
            override.enable()
            overrides.append(override)

        overrides = []
        yield configure
        for override in reversed(overrides):
            override.disable()


@queue_command(name="settings.double")
def double(number):
    return number * 2


def names(invoker):
    return [None if one is None else one.name for one in (invoker.queue, invoker.result_store, invoker.task_store)]


class TestPlaces:
    def test_a_url_alone_is_the_place_of_everything(self, configure):
        configure("redis://127.0.0.1:1/5?queue=shop")
        invoker = get_invoker()
        assert isinstance(invoker.queue, RedisQueue)
        assert isinstance(invoker.result_store, RedisDataStore)
        assert names(invoker) == ["shop", "shop", "huey-state:shop"]
        assert len(invoker.backends) == 1

    def test_a_url_may_be_the_key_of_the_queue_as_well(self, configure):
        configure(QUEUE="redis://127.0.0.1:1/5?queue=shop")
        assert names(get_invoker()) == ["shop", "shop", "huey-state:shop"]

    def test_each_store_may_have_a_url_of_its_own(self, configure):
        configure(QUEUE="memory://a?queue=shop", RESULT_STORE="memory://b", TASK_STORE="memory://c")
        invoker = get_invoker()
        assert names(invoker) == ["shop", "shop", "huey-state:shop"]
        assert [str(backend.url) for backend in invoker.backends] == [
            "memory://a?queue=shop",
            "memory://b?queue=shop",
            "memory://c?queue=shop",
        ]

    def test_a_dotted_path_names_a_class_that_gets_the_name_and_the_connection(self, configure):
        configure(
            QUEUE="huey_redis.RedisQueue",
            QUEUE_NAME="shop",
            QUEUE_CONNECTION={"host": "redis.example", "port": 7000},
            RESULT_STORE="huey_redis.RedisDataStore",
            RESULT_STORE_NAME="shop-results",
            RESULT_STORE_CONNECTION={"host": "results.example"},
            TASK_STORE="huey_redis.RedisDataStore",
            TASK_STORE_CONNECTION={"host": "state.example"},
        )
        invoker = get_invoker()
        assert names(invoker) == ["shop", "shop-results", "huey-state:shop"]
        assert invoker.queue.connection == {"host": "redis.example", "port": 7000}
        assert invoker.result_store.connection == {"host": "results.example"}
        assert invoker.task_store.connection == {"host": "state.example"}

    def test_the_task_store_may_have_a_name_of_its_own(self, configure):
        configure(QUEUE=MemoryQueue, QUEUE_NAME="shop", TASK_STORE=MemoryDataStore, TASK_STORE_NAME="schedule")
        assert get_invoker().task_store.name == "schedule"

    def test_a_class_may_be_given_itself(self, configure):
        configure(QUEUE=MemoryQueue, QUEUE_CONNECTION={"space": "shop"})
        assert get_invoker().queue.space is MemoryQueue("shop", space="shop").space

    def test_instances_are_taken_as_they_are(self, configure):
        queue, results, state = MemoryQueue("shop"), MemoryDataStore("results"), MemoryDataStore("state")
        configure(QUEUE=queue, RESULT_STORE=results, TASK_STORE=state)
        invoker = get_invoker()
        assert (invoker.queue, invoker.result_store, invoker.task_store) == (queue, results, state)

    def test_a_class_for_the_queue_alone_means_no_stores(self, configure):
        configure(QUEUE="huey_memory.MemoryQueue", QUEUE_NAME="shop")
        assert names(get_invoker()) == ["shop", None, None]

    def test_the_url_of_a_queue_means_no_results_if_that_is_said(self, configure):
        configure(URL, RESULT_STORE=None)
        assert get_invoker().result_store is None

    def test_always_eager_alone_needs_no_queue(self, configure):
        configure(ALWAYS_EAGER=True)
        assert get_invoker().always_eager

    def test_commands_that_run_at_once_need_no_server(self, configure):
        # Nobody listens there.
        configure("redis://127.0.0.1:1/0", ALWAYS_EAGER=True)
        assert double(2).get() == 4

    def test_what_the_serializer_of_the_url_cannot_carry_fails_at_once_too(self, configure):
        configure("redis://127.0.0.1:1/0", ALWAYS_EAGER=True)
        with pytest.raises(EncodeError):
            double(object())
        configure("redis://127.0.0.1:1/0?serializer=pickle", ALWAYS_EAGER=True)
        assert double(1j).get() == 2j

    def test_what_is_revoked_at_once_is_forgotten_with_the_settings(self, configure):
        configure(URL, ALWAYS_EAGER=True)
        double.revoke()
        assert double.is_revoked()
        configure(URL, ALWAYS_EAGER=True, STORE_NONE=True)
        assert not double.is_revoked()

    def test_nothing_connects(self, configure):
        # Nobody listens there.
        configure(URL)
        assert get_invoker().queue.name


class TestNames:
    @pytest.mark.parametrize(
        ("database", "name"),
        [("shop", "shop"), ("/run/shop", "shop"), (":memory:", "huey"), ("", "huey")],
    )
    def test_the_default_name_of_the_queue_is_that_of_the_database(
        self, configure, database, name, monkeypatch, settings
    ):
        monkeypatch.setitem(settings.DATABASES, "default", {"ENGINE": "a.postgresql", "NAME": database})
        configure(URL)
        assert names(get_invoker()) == [name, name, f"huey-state:{name}"]

    @pytest.mark.parametrize(
        ("module", "name"), [("mysite.settings", "mysite"), ("mysite.settings.local", "mysite"), ("", "huey")]
    )
    def test_that_of_a_project_on_a_file_is_the_name_of_the_project(
        self, configure, module, name, monkeypatch, settings
    ):
        monkeypatch.setitem(settings.DATABASES, "default", {"ENGINE": "a.sqlite3", "NAME": Path("/code/db.sqlite3")})
        monkeypatch.setenv("DJANGO_SETTINGS_MODULE", module)
        configure(URL)
        assert get_invoker().queue.name == name

    def test_a_project_without_a_database_has_a_name_as_well(self, configure, monkeypatch, settings):
        monkeypatch.delitem(settings.DATABASES, "default")
        configure(URL)
        assert get_invoker().queue.name == "huey"

    def test_a_name_may_be_given_beside_the_url(self, configure):
        configure(URL, QUEUE_NAME="shop", RESULT_STORE_NAME="results")
        assert names(get_invoker()) == ["shop", "results", "huey-state:shop"]

    def test_a_name_of_a_url_that_is_given_twice_is_refused(self, configure):
        configure(f"{URL}?queue=shop", QUEUE_NAME="store")
        with pytest.raises(SettingsError, match="Remove one of them"):
            get_invoker()


class TestFurtherQueues:
    def test_a_queue_of_another_name_is_what_the_url_would_name(self, configure):
        configure("redis://127.0.0.1:1/5?queue=shop")
        mail = get_invoker("mail")
        assert names(mail) == ["mail", "mail", "huey-state:mail"]
        assert mail is get_invoker().on_queue("mail")

    def test_a_result_store_that_is_named_is_that_of_all_queues(self, configure):
        configure("redis://127.0.0.1:1/5?queue=shop", RESULT_STORE_NAME="results")
        assert names(get_invoker("mail")) == ["mail", "results", "huey-state:mail"]

    def test_it_is_made_once(self, configure):
        configure(URL)
        assert get_invoker("mail") is get_invoker("mail")

    def test_its_state_is_where_the_settings_say(self, configure):
        configure("memory://a?queue=shop", TASK_STORE="memory://b")
        assert get_invoker("mail").task_store.space is get_invoker().task_store.space

    def test_of_a_class_it_has_the_same_connection(self, configure):
        configure(
            QUEUE="huey_memory.MemoryQueue", QUEUE_NAME="shop", QUEUE_CONNECTION={"space": "s", "max_deliveries": 2}
        )
        queue = get_invoker("mail").queue
        assert (queue.name, queue.max_deliveries) == ("mail", 2)
        assert queue.space is get_invoker().queue.space

    def test_one_that_can_have_no_such_name_is_refused(self, configure):
        configure(URL)
        with pytest.raises(SettingsError, match="There can be no queue 'huey-state:mail'"):
            get_invoker("huey-state:mail")

    def test_it_runs_commands_at_once_as_the_other_does(self, configure):
        configure(ALWAYS_EAGER=True)
        assert get_invoker("mail").always_eager

    def test_one_that_is_first_used_while_the_default_is_redirected_outlives_that(self, configure):
        configure("memory://a?queue=shop")
        with Rehearsal() as rehearsal, rehearsal.redirect(get_invoker()):
            get_invoker("mail")
        assert names(get_invoker("mail")) == ["mail", "mail", "huey-state:mail"]

    def test_so_does_one_that_runs_commands_at_once(self, configure):
        configure(ALWAYS_EAGER=True)
        with Rehearsal() as rehearsal, rehearsal.redirect(get_invoker()):
            get_invoker("mail")
        assert get_invoker("mail").enqueue(double.command(2)) == 4


class CountsRuns:
    """A plugin of the project."""

    def __init__(self):
        self.count = 0

    @hookimpl
    def huey_command_succeeded(self):
        self.count += 1


counts_runs = CountsRuns()


class TestPlugins:
    @pytest.mark.parametrize("given", [counts_runs, f"{__name__}.counts_runs"], ids=["an object", "a path"])
    def test_they_are_told_of_the_commands_of_every_queue(self, configure, given):
        configure(URL, ALWAYS_EAGER=True, PLUGINS=[given])
        before = counts_runs.count
        get_invoker().enqueue(double.command(1))
        get_invoker("mail").enqueue(double.command(1))
        assert counts_runs.count == before + 2

    def test_an_installed_one_can_be_blocked(self, configure, caplog):
        configure(URL, PLUGINS=["no:tracing"])
        get_invoker().plugins  # noqa: B018
        assert "'tracing' is blocked" in caplog.text

    def test_a_path_that_leads_nowhere_is_an_error(self, configure):
        configure(URL, PLUGINS=["nowhere.plugin"])
        with pytest.raises(SettingsError, match=r"HUEY_CONFIG\['PLUGINS'\] cannot be used"):
            get_invoker()


class TestOtherKeys:
    def test_those_of_the_invoker(self, configure):
        configure(URL, SERIALIZER="pickle", ACCEPT=["json", "pickle"], RESULT_TTL=60, STORE_NONE=True, ON_COMMIT=False)
        invoker = get_invoker()
        assert invoker.serializer.name == "pickle"
        assert set(invoker.accepted) == {"json", "pickle"}
        assert (invoker.result_ttl, invoker.store_none, invoker.on_commit) == (60, True, False)

    def test_calls_that_do_not_fit_are_let_through_on_every_queue(self, configure):
        configure(URL, CHECK_ARGUMENTS=False)
        assert [get_invoker().check_arguments, get_invoker("mail").check_arguments] == [False, False]

    def test_the_limit_of_what_is_written_and_read(self, configure):
        configure(URL, MAX_BODY_SIZE=2**20)
        assert [get_invoker().max_body_size, get_invoker("mail").max_body_size] == [2**20, 2**20]

    def test_the_limit_of_the_url_holds_for_commands_that_run_at_once(self, configure):
        configure(f"{URL}?max_body_size=1MiB", ALWAYS_EAGER=True)
        assert get_invoker().max_body_size == 2**20

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("PERIODIC", False),
            ("THREADS", 9),
            ("LOGFILE", "huey.log"),
            ("LOGLEVEL", "DEBUG"),
            ("BACKOFF", 2.5),
            ("INITIAL_DELAY", 0.5),
            ("MAX_DELAY", 20.0),
            ("UTC", False),
            ("LEASE", 5.0),
            ("PREFETCH", 3),
            ("SHUTDOWN_TIMEOUT", 1.0),
        ],
    )
    def test_those_of_the_consumer(self, configure, key, value):
        configure(URL, **{key: value})
        assert getattr(HueySettings.load().consumer_config(), key.lower()) == value

    @pytest.mark.parametrize("config", [{}, {"THREADS": None, "LOGLEVEL": None, "LOGFILE": None}])
    def test_what_is_not_set_or_none_has_the_defaults_of_the_core(self, configure, config):
        configure(URL, **config)
        assert HueySettings.load().consumer_config() == ConsumerConfig()

    def test_an_override_goes_before_the_settings_unless_it_is_none(self, configure):
        configure(URL, THREADS=9, PREFETCH=3)
        config = HueySettings.load().consumer_config(threads=2, prefetch=None)
        assert (config.threads, config.prefetch) == (2, 3)

    def test_every_key_of_the_original_api_is_known(self):
        original = """QUEUE QUEUE_NAME QUEUE_CONNECTION RESULT_STORE RESULT_STORE_NAME RESULT_STORE_CONNECTION
            TASK_STORE TASK_STORE_NAME TASK_STORE_CONNECTION
            PERIODIC THREADS LOGFILE LOGLEVEL BACKOFF INITIAL_DELAY MAX_DELAY ALWAYS_EAGER"""
        assert set(original.split()) <= set(KEYS)


def test_changed_settings_are_followed(configure):
    configure("memory://a?queue=one")
    before = get_invoker()
    configure("memory://a?queue=two")
    assert (before.queue.name, get_invoker().queue.name) == ("one", "two")


def test_a_password_is_not_shown_by_the_settings(configure):
    configure(
        "redis://user:correct-horse@127.0.0.1/0",
        RESULT_STORE="huey_redis.RedisDataStore",
        RESULT_STORE_CONNECTION={"password": "correct-horse"},
    )
    assert "correct-horse" not in repr(HueySettings.load())


class TestPasswords:
    """Django's debug page shows the local variables of every frame."""

    @pytest.mark.parametrize(
        "settings",
        [
            {"url": "redis://ann:correct-horse@127.0.0.1:1/5"},
            {"url": "redis://ann:correct-horse@127.0.0.1/5?nonsense=1"},
            {"url": "redis://ann:correct-horse@127.0.0.1/no/number"},
            {"url": "redis://ann:correct-horse#@127.0.0.1"},
            {"url": "redis://ann:correct-horse@127.0.0.1/5", "THREADS": "many"},
            {"url": "redis://ann:correct-horse@127.0.0.1/5", "TREADS": 2},
            {"QUEUE": "redis://ann:correct-horse@127.0.0.1:1/5", "RESULT_STORE": "redis://:correct-horse@h?nonsense=1"},
            {
                "QUEUE": "huey_redis.RedisQueue",
                "QUEUE_CONNECTION": {"password": "correct-horse", "port": 1},
                "RESULT_STORE": None,
                "TASK_STORE": None,
            },
        ],
    )
    def test_no_frame_of_ours_shows_the_password_of_a_setting(self, configure, settings):
        configure(**settings)

        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
            double(1)

        assert_not_shown("correct-horse", caught.value)
