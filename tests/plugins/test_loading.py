from __future__ import annotations

import pytest

from huey_core.backends.backend import HUEY_PLUGIN_API
from huey_core.exceptions import PluginIncompatible, PluginLoadError
from huey_core.plugins.backends import backend_class
from huey_core.plugins.discovery import BACKENDS


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
