from __future__ import annotations

import pytest

from huey_core import __version__
from huey_core.backends.backend import HUEY_PLUGIN_API
from huey_core.plugins import discovery

HOOKS = """
    from huey_core.hookspecs import hookimpl

    @hookimpl
    def huey_command_failed(command): pass
"""

OFFERS_LOCK = """
    from huey_core import hookimpl
    from huey_core.commands import CommandOption, flag

    @hookimpl
    def huey_command_options():
        return [CommandOption("lock", flag, False, help="Something.")]
"""

POOL = """
    from huey_core.consumer.pools import ThreadPool
    from huey_core.workers import PoolAbility

    class SwiftPool(ThreadPool):
        abilities = frozenset({PoolAbility.SURVIVE_CRASH, PoolAbility.INTERRUPT_PYTHON})
"""


class TestPlugins:
    def test_every_plugin_is_shown_with_where_it_comes_from(self, diagnose):
        found = diagnose()

        facts = found["backend memory"]["facts"]
        assert (facts["distribution"], facts["target"], facts["api"]) == ("huey-memory", "huey_memory:MemoryBackend", 1)
        assert found["serializer json"]["sentence"].startswith(f"huey-core {__version__} ")
        assert found["huey-core"]["facts"]["api"] == HUEY_PLUGIN_API

    def test_the_abilities_of_a_worker_pool_are_named(self, diagnose, site):
        site.install("huey-swift", {discovery.WORKERS: {"swift": "swift_pool:SwiftPool"}}, {"swift_pool": POOL})
        discovery.scan.cache_clear()

        found = diagnose()

        assert found["worker pool swift"]["facts"]["abilities"] == ["interrupt_python", "survive_crash"]
        assert found["worker pool swift"]["sentence"].endswith(", interrupt_python, survive_crash")
        assert found["worker pool thread"]["facts"]["abilities"] == ["interrupt_python"]

    def test_the_hooks_of_a_plugin_are_named(self, diagnose, install):
        install(HOOKS)

        found = diagnose()["hooks extra"]

        assert (found["level"], found["facts"]["hooks"]) == ("ok", ["huey_command_failed"])
        assert "huey-extra 1." in found["sentence"]

    def test_the_options_that_a_plugin_offers_are_named(self, diagnose, install):
        install(OFFERS_LOCK)

        assert diagnose()["hooks extra"]["facts"]["options"] == ["lock"]

    def test_the_second_of_two_plugins_with_one_option_fails(self, diagnose, site):
        for name in ("limits", "locks"):
            module = f"{name}_with_lock"
            site.install(f"huey-{name}", {discovery.PLUGINS: {name: module}}, {module: OFFERS_LOCK})
        discovery.scan.cache_clear()

        found = diagnose()

        assert (found["hooks limits"]["level"], found["hooks locks"]["level"]) == ("ok", "fail")
        assert "'limits' and 'locks' both offer the option 'lock'" in found["hooks locks"]["sentence"]

    def test_a_hook_that_does_not_exist_is_named_with_the_closest(self, diagnose, install):
        install(HOOKS.replace("command_failed", "command_faild"))

        found = diagnose()["hooks extra"]

        assert found["level"] == "fail"
        assert "'huey_command_faild', which is no hook; did you mean 'huey_command_failed'?" in found["sentence"]

    def test_a_hook_that_is_not_marked_is_named(self, diagnose, install):
        install(HOOKS.replace("@hookimpl", ""))

        found = diagnose()["hooks extra"]

        assert (found["level"], found["facts"]["unmarked_hooks"]) == ("warn", ["huey_command_failed"])

    @pytest.mark.parametrize("source", ["1 / 0", "import no_such_module", "raise SystemExit(3)", "this is not Python"])
    @pytest.mark.parametrize("group", discovery.GROUPS)
    def test_a_broken_plugin_is_shown_and_harms_no_other(self, diagnose, install, source, group):
        install(source, group)

        found = diagnose()

        (broken,) = [finding for check, finding in found.items() if check.endswith(" extra")]
        assert (broken["level"], broken["facts"]["status"]) == ("fail", "broken")
        assert "HUEY_DISABLE_PLUGINS=huey-extra" in broken["advice"]
        assert found["backend memory"]["level"] == "ok"

    def test_a_backend_class_without_its_attributes_is_broken(self, diagnose, install):
        install("from huey_core.backends.backend import Backend as huey_extra_of_this_test", discovery.BACKENDS)

        assert diagnose()["backend extra"]["level"] == "fail"

    def test_a_plugin_for_another_version_of_the_api_is_incompatible(self, diagnose, install):
        install(f"{HOOKS}\n    HUEY_PLUGIN_API = 99\n")

        found = diagnose()["hooks extra"]

        assert (found["level"], found["facts"]["status"]) == ("fail", "incompatible")
        assert "upgrade huey-core" in found["sentence"]

    def test_two_claims_on_one_name_are_a_failure_that_names_both(self, cli, install):
        install(HOOKS)
        install(HOOKS, distribution="huey-other")

        result = cli.run("doctor")

        assert result.exit_code == 1
        lines = [line for line in result.output.splitlines() if line.startswith("✗ hooks extra")]
        assert len(lines) == 2
        assert all("huey-extra 1." in line and "huey-other 1." in line for line in lines)

    def test_two_claims_on_one_scheme_are_a_failure_that_names_both(self, cli, install):
        for distribution in ("huey-extra", "huey-other"):
            install("raise SystemExit", discovery.BACKENDS, distribution)

        lines = cli.run("doctor", "extra://user:s3cret@host/").output.splitlines()

        failed = [line for line in lines if line.startswith(("✗ backend extra", "✗ URL"))]
        assert len(failed) == 3
        assert all("huey-extra 1." in line and "huey-other 1." in line for line in failed)

    def test_a_blocked_plugin_is_not_imported(self, diagnose, install, monkeypatch):
        monkeypatch.setenv("HUEY_DISABLE_PLUGINS", "extra")
        install("1 / 0")

        found = diagnose()

        assert found["hooks extra"]["level"] == "warn"
        assert found["block list"]["facts"]["blocked"] == ["extra"]

    def test_a_block_list_that_names_nothing_is_a_warning(self, diagnose, monkeypatch):
        monkeypatch.setenv("HUEY_DISABLE_PLUGINS", "huey-memroy")

        assert "huey-memroy is not installed" in diagnose()["block list"]["sentence"]

    def test_choices_that_cannot_be_read_are_a_failure(self, diagnose, monkeypatch):
        monkeypatch.setenv("HUEY_PLUGIN_CHOICE", "redis")

        assert "write name=distribution" in diagnose()["choices"]["sentence"]

    def test_a_consumer_script_that_is_not_ours_is_a_warning(self, diagnose, tmp_path, monkeypatch):
        script = tmp_path / "huey_consumer"
        script.write_text("#!/usr/bin/python\nfrom huey.bin.huey_consumer import consumer_main\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

        found = diagnose()["huey_consumer"]

        assert (found["level"], found["facts"]) == ("warn", {"path": str(script), "is_ours": False})
        assert "huey consumer" in found["advice"]
