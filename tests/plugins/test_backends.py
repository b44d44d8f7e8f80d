from __future__ import annotations

import pytest

from huey_core.backends.backend import HUEY_PLUGIN_API, Backend
from huey_core.exceptions import (
    ConfigurationError,
    PluginBlocked,
    PluginConflict,
    PluginIncompatible,
    PluginLoadError,
    PluginNotFound,
)
from huey_core.plugins.backends import backend_class, backend_registry, open_backend, register_backend
from huey_core.plugins.discovery import BACKENDS
from huey_core.plugins.registry import LazyRegistry


class Registered(Backend):
    schemes = ("inprocess", "inprocess+tls")
    api_version = HUEY_PLUGIN_API
    capabilities = frozenset()

    def queue(self, name):
        raise NotImplementedError

    def data_store(self, name):
        raise NotImplementedError

    def ping(self):
        raise NotImplementedError


class OtherRegistered(Registered):
    pass


@pytest.fixture
def registered():
    register_backend(Registered)
    yield Registered
    for scheme in Registered.schemes:
        backend_registry.unregister(scheme)


@pytest.fixture
def alpha(site, backend_source):
    """An installed backend of the scheme ``alpha``."""
    site.install("huey-alpha", {BACKENDS: {"alpha": "alpha_module:ThisBackend"}}, {"alpha_module": backend_source})
    return site


@pytest.fixture
def claimed_twice(alpha, backend_source):
    alpha.install("other-alpha", {BACKENDS: {"alpha": "other_module:ThisBackend"}}, {"other_module": backend_source})
    return alpha


def test_a_scheme_leads_to_the_class_that_its_entry_point_names(alpha):
    assert backend_class("alpha").__module__ == "alpha_module"


def test_a_backend_is_opened_with_the_options_of_its_url(alpha):
    backend = open_backend("alpha://host/?size=25&queue=mail")

    assert (backend.url.options["size"], backend.url.options["queue"]) == (25, "mail")


def test_an_unknown_option_names_the_closest_one(alpha):
    with pytest.raises(ConfigurationError, match=r"siz.*'size'"):
        open_backend("alpha://host/?siz=25")


def test_a_plus_in_a_scheme_is_a_dot_in_the_entry_point(site, backend_source):
    site.install("huey-x", {BACKENDS: {"alpha.unix": "alpha_module:ThisBackend"}}, {"alpha_module": backend_source})

    assert backend_class("alpha+unix").__name__ == "ThisBackend"


def test_only_the_module_of_the_scheme_in_use_is_imported(alpha, backend_source):
    alpha.install("huey-beta", {BACKENDS: {"beta": "beta_module:ThisBackend"}}, {"beta_module": backend_source})

    printed = alpha.run("""
        import sys
        from huey_core.plugins.backends import open_backend
        open_backend("alpha://")
        print([name for name in ("alpha_module", "beta_module", "huey_redis", "redis") if name in sys.modules])
    """)

    assert printed.strip() == "['alpha_module']"


def test_a_registered_backend_is_found_without_reading_the_metadata(site):
    printed = site.run("""
        import sys
        from huey_core.plugins.backends import backend_class, backend_registry
        from huey_core.backends.backend import Backend
        backend_registry.register("inprocess", Backend)
        print(backend_class("inprocess").__name__, "importlib_metadata" in sys.modules)
    """)

    assert printed.strip() == "Backend False"


def test_a_registered_backend_answers_to_each_of_its_schemes(registered):
    assert [backend_class(scheme) for scheme in ("inprocess", "inprocess+tls")] == [Registered, Registered]


def test_a_second_registration_of_a_scheme_is_refused(registered):
    with pytest.raises(PluginConflict, match=r"Registered.*replace=True.*OtherRegistered"):
        register_backend(OtherRegistered)


def test_a_second_registration_may_replace_the_first(registered):
    register_backend(OtherRegistered, replace=True)

    assert backend_class("inprocess") is OtherRegistered


def test_a_registered_backend_goes_before_an_installed_one(alpha):
    backend_registry.register("alpha", Registered)
    try:
        assert backend_class("alpha") is Registered
    finally:
        backend_registry.unregister("alpha")


@pytest.fixture
def registry():
    """A registry that knows of a backend which is not installed."""
    return LazyRegistry(BACKENDS, Backend, kind="backend", role="URL scheme", known={"gamma": "huey-gamma"})


def test_a_known_scheme_that_is_not_installed_says_what_to_install(registry):
    with pytest.raises(PluginNotFound) as caught:
        registry.get("gamma")

    assert "no backend is installed for the URL scheme 'gamma'" in str(caught.value)
    assert "pip install huey-gamma" in str(caught.value)
    assert caught.value.distribution == "huey-gamma"


@pytest.mark.parametrize(
    ("scheme", "reason"),
    [
        ("redis+cluster", "huey-redis does not speak to Redis Cluster yet; use the redis:// URL of"),
        ("redis+sentinel", "huey-redis does not speak to Redis Sentinel yet; use the redis:// URL of the primary"),
        ("redis+sentinal", "did you mean 'redis+sentinel' (huey-redis does not speak to Redis Sentinel yet"),
    ],
)
def test_a_scheme_that_no_known_plugin_serves_says_what_to_use_and_not_what_to_install(scheme, reason):
    with pytest.raises(PluginNotFound) as caught:
        backend_class(scheme)

    assert reason in str(caught.value)
    assert "pip install" not in str(caught.value)


def test_a_plugin_may_serve_a_scheme_that_no_known_plugin_serves(site, backend_source):
    site.install("huey-c", {BACKENDS: {"redis.cluster": "alpha_module:ThisBackend"}}, {"alpha_module": backend_source})

    assert backend_class("redis+cluster").__name__ == "ThisBackend"


def test_a_misspelt_scheme_names_the_closest_that_is_installed(alpha):
    with pytest.raises(PluginNotFound, match="did you mean 'alpha'"):
        backend_class("alhpa")


def test_a_misspelt_scheme_that_is_not_installed_says_what_to_install(registry):
    with pytest.raises(PluginNotFound, match=r"did you mean 'gamma' \(pip install huey-gamma\)"):
        registry.get("gamna")


def test_an_unknown_scheme_lists_what_is_installed_and_where_to_look(alpha):
    with pytest.raises(PluginNotFound, match=r"installed: .*alpha \(huey-alpha 1.0\).*; Help: huey plugins"):
        backend_class("qqqq")


@pytest.mark.parametrize("scheme", ["upper", "Upper"])
def test_an_entry_point_that_is_not_lower_case_is_reported(site, backend_source, scheme):
    site.install("huey-upper", {BACKENDS: {"Upper": "upper:ThisBackend"}}, {"upper": backend_source})

    with pytest.raises(PluginNotFound, match=r"is called 'Upper', which can never be found: .*lower case"):
        backend_class(scheme)


def test_two_distributions_that_claim_one_scheme_are_both_named_with_the_ways_out(claimed_twice):
    with pytest.raises(PluginConflict) as caught:
        backend_class("alpha")

    for part in ("huey-alpha 1.0", "other-alpha 1.0", 'HUEY_PLUGIN_CHOICE="alpha=huey-alpha"', "uninstall"):
        assert part in str(caught.value)
    assert "HUEY_DISABLE_PLUGINS=other-alpha" in str(caught.value)


@pytest.mark.parametrize("choice", ["alpha=other-alpha", " alpha = Other_Alpha , unused=x"])
def test_a_choice_settles_a_conflict(claimed_twice, monkeypatch, choice):
    monkeypatch.setenv("HUEY_PLUGIN_CHOICE", choice)

    assert backend_class("alpha").__module__ == "other_module"


def test_blocking_one_of_two_settles_a_conflict(claimed_twice, monkeypatch):
    monkeypatch.setenv("HUEY_DISABLE_PLUGINS", "huey-alpha")

    assert backend_class("alpha").__module__ == "other_module"


def test_a_choice_of_a_distribution_that_does_not_provide_the_scheme_says_who_does(alpha, monkeypatch):
    monkeypatch.setenv("HUEY_PLUGIN_CHOICE", "alpha=huey-beta")

    with pytest.raises(PluginNotFound, match=r"HUEY_PLUGIN_CHOICE chooses 'huey-beta' .*huey-alpha 1.0"):
        backend_class("alpha")


def test_a_choice_that_cannot_be_read_is_a_configuration_error(alpha, monkeypatch):
    monkeypatch.setenv("HUEY_PLUGIN_CHOICE", "alpha")

    with pytest.raises(ConfigurationError, match="HUEY_PLUGIN_CHOICE contains 'alpha'; write name=distribution"):
        backend_class("alpha")


@pytest.mark.parametrize("names", ["alpha", "huey-alpha", " , HUEY_Alpha ,", "unknown,alpha"])
def test_a_blocked_backend_is_refused_and_the_variable_is_named(alpha, monkeypatch, names):
    monkeypatch.setenv("HUEY_DISABLE_PLUGINS", names)

    with pytest.raises(PluginBlocked, match=r"'alpha' of huey-alpha 1.0 .*HUEY_DISABLE_PLUGINS"):
        backend_class("alpha")


def test_an_empty_block_list_blocks_nothing(alpha, monkeypatch):
    monkeypatch.setenv("HUEY_DISABLE_PLUGINS", " ,")

    assert backend_class("alpha").__name__ == "ThisBackend"


def load_error(site, source: str, value: str = "alpha_module:ThisBackend") -> PluginLoadError:
    site.install("huey-alpha", {BACKENDS: {"alpha": value}}, {"alpha_module": source})
    with pytest.raises(PluginLoadError) as caught:
        backend_class("alpha")
    assert "huey-alpha 1.0 is installed, but its plugin 'alpha' cannot be loaded: " in str(caught.value)
    return caught.value


def test_a_missing_driver_is_named(site):
    error = load_error(site, "import driver_of_alpha.client")

    assert "it needs the module 'driver_of_alpha', which is not installed" in str(error)
    assert "pip install --force-reinstall huey-alpha" in str(error)
    assert isinstance(error.__cause__, ModuleNotFoundError)


def test_a_plugin_whose_own_module_is_missing_is_told_from_a_missing_driver(site):
    error = load_error(site, "", value="absent_module.backend:ThisBackend")

    assert "its own module 'absent_module' is missing" in str(error)


def test_a_plugin_that_fails_when_imported_keeps_its_cause(site):
    error = load_error(site, "raise RuntimeError('no licence')")

    assert "importing 'alpha_module' raised RuntimeError: no licence" in str(error)
    assert isinstance(error.__cause__, RuntimeError)


def test_a_plugin_without_the_class_that_it_names_says_so(site):
    assert "its module 'alpha_module' has no 'ThisBackend'" in str(load_error(site, ""))


def test_a_plugin_that_is_not_a_backend_class_says_so(site):
    assert "is not a subclass of huey_core.backends.backend.Backend" in str(load_error(site, "ThisBackend = dict"))


@pytest.mark.parametrize(("version", "upgrade"), [(HUEY_PLUGIN_API + 1, "huey-core"), (0, "huey-alpha")])
def test_another_plugin_api_is_refused_with_both_versions(site, backend_source, version, upgrade):
    source = backend_source.replace("api_version = 1", f"api_version = {version}")
    site.install("huey-alpha", {BACKENDS: {"alpha": "alpha_module:ThisBackend"}}, {"alpha_module": source})

    with pytest.raises(PluginIncompatible) as caught:
        backend_class("alpha")

    assert f"plugin 'alpha' of huey-alpha 1.0 was written for version {version}" in str(caught.value)
    assert f"this huey-core has version {HUEY_PLUGIN_API}; upgrade {upgrade}" in str(caught.value)
