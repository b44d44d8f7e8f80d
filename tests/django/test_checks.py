"""``manage.py check``: what is wrong with the settings or with a command is reported, with what to do about it."""

from __future__ import annotations

import django
import pytest
from django.core import checks
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from huey_core import QueueCommand, hookimpl
from huey_core.commands.registry import default_registry
from huey_django import crontab, periodic_command, queue_command
from huey_django.checks import check_settings
from huey_django.conf import KEYS
from huey_memory import MemoryDataStore, MemoryQueue
from plain_backend import PlainQueue

REDIS = "redis://:correct-horse@127.0.0.1:1/0"
USERS = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}


def issues(huey=None, *, deploy=False, **config):
    """What the checks report with these settings."""
    with override_settings(HUEY=huey, HUEY_CONFIG=config or None):
        return checks.run_checks(tags=["huey"], include_deployment_checks=deploy)


def only_issue(huey=None, *, deploy=False, **config):
    """The one issue that is reported: its id, and its message and hint as one text."""
    [issue] = issues(huey, deploy=deploy, **config)
    assert issue.hint
    return issue.id, f"{issue.msg} {issue.hint}"


@pytest.mark.parametrize("url", [REDIS, "memory://", "sqlite:////tmp/never-made.sqlite3"])
def test_a_url_is_enough(url):
    assert issues(url) == []


def test_a_question_has_no_full_stop():
    _, text = only_issue(f"{REDIS}?qeue=mail")
    assert "did you mean 'queue'? " in text


def test_no_setting_at_all():
    id_, text = only_issue()
    assert id_ == "huey_django.E001"
    assert 'Set HUEY = "redis://' in text


class Backend:
    """What is no backend of ours."""


@pytest.mark.parametrize(
    ("places", "is_needed"),
    [
        ([{"URL": REDIS}], False),
        ([{"URL": REDIS}, {"URL": REDIS}], False),
        ([{"URL": REDIS}, {}], True),
        ([{"URL": None}], True),
        ([None], True),
        ([], True),
    ],
)
def test_no_setting_is_needed_where_every_task_says_its_place(places, is_needed):
    ours = [{"BACKEND": "huey_django.tasks.HueyBackend", "OPTIONS": options} for options in places]
    others = [{"BACKEND": f"{__name__}.Backend"}, {"BACKEND": "nowhere.Backend"}, {}, None]
    with override_settings(HUEY=None, HUEY_CONFIG=None, TASKS=dict(enumerate(ours + others))):
        # Before Django 6 the setting TASKS means nothing. What is wrong with it otherwise, Django's own check says.
        # Commands of other tests have no queue here, which is another matter.
        found = [each for each in check_settings() if "No queue is configured:" in each.msg]
        assert bool(found) == (is_needed or django.VERSION < (6, 0))


@pytest.mark.parametrize(
    ("huey", "config", "words"),
    [
        (None, {"QUEU": REDIS}, "unknown key 'QUEU'. Did you mean 'QUEUE'?"),
        (None, {"QUEUE": REDIS, "threads": 2}, "Did you mean 'THREADS'?"),
        (REDIS, {"QUEUE": REDIS}, "Remove one of them."),
        ({"QUEUE": REDIS}, {}, "a dictionary is HUEY_CONFIG"),
        ("localhost:6379", {}, "HUEY is not a backend URL"),
    ],
)
def test_a_setting_that_is_misplaced(huey, config, words):
    id_, text = only_issue(huey, **config)
    assert id_ == "huey_django.E002"
    assert words in text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ALWAYS_EAGER", "no"),
        ("CHECK_ARGUMENTS", "no"),
        ("PERIODIC", "no"),
        ("UTC", 0),
        ("STORE_NONE", None),
        ("QUEUE_NAME", 5),
        ("QUEUE_CONNECTION", {"host": "elsewhere"}),
        ("RESULT_STORE_CONNECTION", {"host": "elsewhere"}),
        ("THREADS", 0),
        ("LOGLEVEL", "LOUD"),
        ("BACKOFF", "quick"),
        ("LEASE", "long"),
        ("LOGFILE", 5),
        ("LOGLEVEL", []),
        ("ACCEPT", "json"),
        ("ACCEPT", []),
        ("ACCEPT", ["pickle"]),
        ("ON_COMMIT", "no-such-database"),
    ],
)
def test_a_value_that_cannot_be_used(key, value):
    [issue] = issues(REDIS, **{key: value})
    assert issue.id == "huey_django.E002"
    assert key in issue.msg


@pytest.mark.parametrize(
    ("config", "unused"),
    [
        ({"QUEUE": MemoryQueue("a"), "QUEUE_NAME": "b"}, "QUEUE_NAME"),
        ({"QUEUE": MemoryQueue("a"), "QUEUE_CONNECTION": {}}, "QUEUE_CONNECTION"),
        ({"QUEUE": MemoryQueue("a"), "RESULT_STORE_CONNECTION": {"host": "a"}}, "RESULT_STORE_CONNECTION"),
        ({"QUEUE": REDIS, "RESULT_STORE": None, "RESULT_STORE_NAME": "b"}, "RESULT_STORE_NAME"),
        ({"QUEUE": REDIS, "TASK_STORE": MemoryDataStore("a"), "TASK_STORE_CONNECTION": {}}, "TASK_STORE_CONNECTION"),
    ],
)
def test_a_setting_that_would_not_be_used(config, unused):
    id_, text = only_issue(**config)
    assert id_ == "huey_django.E002"
    assert f"HUEY_CONFIG[{unused!r}] would not be used" in text


def test_a_name_for_a_task_store_that_is_a_url_would_not_be_used():
    id_, text = only_issue(QUEUE=REDIS, TASK_STORE_NAME="b")
    assert id_ == "huey_django.E002"
    assert "TASK_STORE_NAME would not be used" in text


class MisspeltHook:
    @hookimpl
    def huey_command_suceeded(self):
        pass


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"QUEUE": "nowhere://localhost"}, "nowhere"),
        ({"QUEUE": "redis://localhost/0?threads=2"}, "no option 'threads'"),
        ({"QUEUE": "huey_redis.RedisQueu"}, "RedisQueu"),
        ({"QUEUE": "no_such_package.Queue"}, "no_such_package"),
        ({"QUEUE": "huey_redis.RedisDataStore"}, "no BaseQueue"),
        ({"QUEUE": "huey_redis.RedisQueue", "QUEUE_CONNECTION": {"hots": "a"}}, "hots"),
        ({"QUEUE": 5}, "HUEY_CONFIG['QUEUE']"),
        ({"QUEUE": MemoryQueue("a"), "RESULT_STORE": MemoryQueue("a")}, "HUEY_CONFIG['RESULT_STORE']"),
        ({"QUEUE": REDIS, "SERIALIZER": "jsno"}, "jsno"),
        ({"QUEUE": REDIS, "ACCEPT": ["jsno"]}, "jsno"),
        ({"QUEUE": REDIS, "RESULT_TTL": "long"}, "result_ttl"),
        ({"QUEUE": REDIS, "PLUGINS": ["nowhere.plugin"]}, "nowhere"),
        ({"QUEUE": REDIS, "PLUGINS": [MisspeltHook()]}, "huey_command_suceeded"),
        ({"QUEUE": REDIS, "PLUGINS": [MisspeltHook]}, "is a class"),
        ({"QUEUE": REDIS, "PLUGINS": [5]}, "an object of type int has no hooks"),
        ({"QUEUE": REDIS, "PLUGINS": ["os.path"]}, "os.path has no hooks"),
        ({"QUEUE": REDIS, "PLUGINS": ["huey_core.hookspecs.huey_execute"]}, "huey_execute has no hooks"),
        ({"QUEUE": REDIS, "PLUGINS": [".plugin"]}, "HUEY_CONFIG['PLUGINS']"),
    ],
)
def test_what_cannot_be_made(config, words):
    [issue] = issues(**config)
    assert issue.id == "huey_django.E003"
    assert words in issue.msg


VALUES = (
    st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text())
)


@given(config=st.dictionaries(st.sampled_from(sorted(KEYS)), VALUES), huey=VALUES)
def test_no_value_of_a_setting_is_an_exception(config, huey):
    for issue in issues(huey, **config):
        assert issue.id.startswith("huey_django.")


@pytest.mark.parametrize(
    ("huey", "config"),
    [
        ("redis://:correct-horse@127.0.0.1:port/0", {}),
        ("redis://:correct-horse@127.0.0.1/0?password=correct-horse", {}),
        (f"{REDIS}?treads=2", {}),
        (REDIS, {"QUEUE_CONNECTION": {"password": "correct-horse"}}),
        (None, {"QUEUE": "huey_redis.RedisQueue", "QUEUE_CONNECTION": {"password": "correct-horse", "hots": "a"}}),
        (None, {"QUEUE": "huey_memory.MemoryQueue", "QUEUE_CONNECTION": {"password": "correct-horse"}}),
        (REDIS, {"QUEUE": REDIS}),
    ],
)
def test_a_password_is_never_shown(huey, config):
    reported = issues(huey, **config)
    assert reported
    assert "correct-horse" not in str(reported)


class TestCommands:
    @pytest.fixture
    def urgent(self):
        """A command that asks for a priority."""
        queue_command(name="checks.urgent", priority=5)(lambda: None)
        yield
        default_registry.unregister("checks.urgent")

    @pytest.mark.usefixtures("urgent")
    def test_a_command_that_asks_for_what_the_queue_lacks_is_named(self):
        # Commands of other tests may be among them.
        [issue] = [each for each in issues(QUEUE=PlainQueue("plain")) if "checks.urgent" in each.msg]
        assert issue.id == "huey_django.E004"
        assert "priority=" in issue.msg

    @pytest.mark.usefixtures("urgent")
    def test_it_is_fine_with_a_queue_that_does_it(self):
        assert issues("memory://") == []

    @pytest.mark.usefixtures("urgent")
    def test_it_is_not_judged_while_commands_run_at_once(self):
        assert issues(ALWAYS_EAGER=True) == []

    @pytest.mark.parametrize(
        "make",
        [
            lambda: queue_command(name="checks.lost", on_commit="archive")(lambda: None),
            lambda: type("Lost", (QueueCommand,), {"command_name": "checks.lost", "on_commit": "archive"}),
        ],
        ids=["a function", "a class"],
    )
    def test_one_that_waits_for_a_database_that_is_not_there(self, make):
        make()
        try:
            id_, text = only_issue("memory://")
        finally:
            default_registry.unregister("checks.lost")
        assert id_ == "huey_django.E004"
        assert "checks.lost waits for the database on_commit='archive'" in text

    def test_one_in_a_module_of_an_application_is_found_by_the_check(self, deploy):
        shop = deploy()
        (shop.copy_code() / "tasks.py").write_text(
            "from huey_django import queue_command\n\n\n@queue_command(result_ttl=5)\ndef short(): ...\n"
        )
        shop.settings["HUEY_CONFIG"] = {"RESULT_STORE": None}
        checked = shop.manage("check")
        assert checked.returncode == 1
        assert "huey_django.E004) The command orders.tasks.short cannot be run" in checked.stderr

    def test_one_that_cannot_be_declared_is_reported_with_its_line(self, deploy):
        shop = deploy()
        tasks = shop.copy_code() / "tasks.py"
        tasks.write_text("from huey_django import queue_command\n\n\n@queue_command(retires=5)\ndef short(): ...\n")
        checked = shop.manage("check")
        assert checked.returncode == 1
        assert "huey_django.E005" in checked.stderr
        assert f"{tasks}, line 4." in checked.stderr
        assert ".." not in checked.stderr
        assert "Traceback" not in checked.stderr


class TestPeriodicCommands:
    @pytest.fixture(autouse=True)
    def count_the_mail(self):
        periodic_command(crontab(), queue="mail", name="count_the_mail")(lambda: None)
        yield
        default_registry.unregister("count_the_mail")

    @pytest.mark.parametrize("served", [{}, {"SERVE_QUEUES": ["default", "reports"]}], ids=["default", "others"])
    def test_one_of_a_queue_that_is_not_served_is_named(self, served):
        id_, text = only_issue(REDIS, **served)
        assert id_ == "huey_django.W005"
        assert "serves the queue 'mail', so nobody runs the periodic commands count_the_mail." in text

    def test_it_is_fine_where_its_queue_is_served(self):
        assert issues(REDIS, SERVE_QUEUES={"default": 2, "mail": 1}) == []


class TestDeployment:
    def test_a_queue_in_memory(self):
        id_, text = only_issue("memory://", deploy=True)
        assert id_ == "huey_django.W001"
        assert "sqlite:///" in text

    def test_commands_that_run_at_once(self):
        assert only_issue(REDIS, deploy=True, ALWAYS_EAGER=True)[0] == "huey_django.W002"

    @pytest.mark.parametrize("huey", [REDIS, "sqlite:////tmp/never-made.sqlite3"])
    def test_a_server_or_a_file_is_fine(self, huey):
        assert issues(huey, deploy=True) == []

    def test_a_wrong_setting_is_reported_once(self):
        assert only_issue(deploy=True)[0] == "huey_django.E001"

    @pytest.mark.parametrize("config", [{"QUEUE": MemoryQueue("a"), "RESULT_STORE": MemoryDataStore("a")}])
    def test_nothing_is_said_of_it_without_deploy(self, config):
        assert issues(**config) == []


class TestDatabases:
    """A project without a default database, as Django allows it."""

    def test_commands_that_would_wait_for_no_database_are_told(self, deploy):
        checked = deploy(DATABASES={"default": {}, "users": USERS}).manage("check")
        assert checked.returncode == 0
        assert "(huey_django.W003) Commands wait for the commit of the database 'default'" in checked.stderr
        assert "HUEY_CONFIG['ON_COMMIT'] to one of 'users'" in checked.stderr

    @pytest.mark.parametrize("on_commit", ["users", False])
    def test_they_may_wait_for_another_or_for_none(self, deploy, on_commit):
        shop = deploy(DATABASES={"default": {}, "users": USERS}, HUEY_CONFIG={"ON_COMMIT": on_commit})
        assert shop.manage("check").stderr == ""

    def test_a_project_without_a_database_has_nothing_to_wait_for(self, deploy):
        assert deploy(DATABASES={}).manage("check").stderr == ""


class TestNameOfTheQueue:
    @pytest.fixture(autouse=True)
    def _settings_of_many_projects(self, monkeypatch, settings):
        monkeypatch.setitem(settings.DATABASES, "default", {"ENGINE": "a.sqlite3", "NAME": "db.sqlite3"})
        monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "config.settings")

    def test_one_that_many_projects_have_is_told(self):
        id_, text = only_issue(REDIS, deploy=True)
        assert id_ == "huey_django.W004"
        assert "The queue is called 'config'" in text
        assert "HUEY_CONFIG['QUEUE_NAME']" in text

    @pytest.mark.parametrize(
        ("huey", "config"),
        [
            (f"{REDIS}?queue=config", {}),
            (REDIS, {"QUEUE_NAME": "config"}),
            ("sqlite:////tmp/never-made.sqlite3", {}),
            ("memory://", {}),
            (None, {"QUEUE": MemoryQueue("a"), "RESULT_STORE": None}),
        ],
    )
    def test_nothing_is_said_where_one_is_given_or_the_place_is_not_shared(self, huey, config):
        assert "huey_django.W004" not in {issue.id for issue in issues(huey, deploy=True, **config)}

    def test_nothing_is_said_at_every_command_of_manage(self):
        assert issues(REDIS) == []


class TestManage:
    def test_a_wrong_setting_is_a_message_and_no_stack_trace(self, deploy):
        checked = deploy(HUEY_CONFIG={"TREADS": 2}).manage("check")
        assert checked.returncode == 1
        assert "(huey_django.E002) HUEY_CONFIG has an unknown key 'TREADS'." in checked.stderr
        assert "HINT: Did you mean 'THREADS'?" in checked.stderr
        assert "Traceback" not in checked.stderr

    def test_a_server_that_is_not_there_is_no_matter(self, deploy):
        assert deploy(REDIS).manage("check").returncode == 0

    def test_an_import_error_in_a_module_with_commands_is_shown(self, deploy):
        shop = deploy()
        (shop.copy_code() / "tasks.py").write_text("import nowhere_to_be_found\n")
        checked = shop.manage("check")
        assert checked.returncode == 1
        assert "nowhere_to_be_found" in checked.stderr


def test_a_plugin_of_the_project_may_ask_for_the_invoker_while_it_is_imported(deploy):
    shop = deploy(HUEY_CONFIG={"PLUGINS": ["orders.curious.plugin"]})
    (shop.copy_code() / "curious.py").write_text("""
from huey_django import get_invoker

plugin = get_invoker()
""")
    ran = shop.manage("check")
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
