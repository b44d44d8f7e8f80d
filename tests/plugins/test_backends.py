from __future__ import annotations

import pytest

from huey_core.backends.backend import HUEY_PLUGIN_API, Backend
from huey_core.exceptions import ConfigurationError, PluginConflict
from huey_core.plugins.backends import backend_class, backend_registry, open_backend, register_backend
from huey_core.plugins.discovery import BACKENDS


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
