"""The queues and stores that a URL names."""

from __future__ import annotations

import pytest

from huey_core import Invoker
from huey_core.backends.base import EmptyData
from huey_core.backends.url import BackendURL
from huey_core.exceptions import ConfigurationError
from huey_core.invoker.opened import OpenedBackends


@pytest.mark.parametrize("results", ["mail", "mail.state", "state"])
def test_results_and_state_share_no_keys(results):
    opened = OpenedBackends()
    url = f"memory://opened-{results}/?queue=mail&results={results}"

    opened.result_store(url).put("key", b"a result")

    assert opened.task_store(url).peek("key") is EmptyData


@pytest.mark.parametrize("option", ["queue", "results"])
def test_the_names_of_stores_of_state_are_refused(option):
    with pytest.raises(ConfigurationError, match=f"{option}= must not begin with 'huey-state:'"):
        OpenedBackends().at(f"memory://refused/?{option}=huey-state:mail")


@pytest.mark.parametrize("url", ["memory://opened-none/?results=none", "memory://opened-none/"])
def test_an_invoker_of_a_url_keeps_no_results_if_told_so(url):
    settings = {} if "results" in url else {"result_store": None}

    invoker = Invoker.from_url(url, **settings)

    assert (invoker.result_store, invoker.task_store is None) == (None, False)


def test_an_invoker_of_a_url_may_have_a_task_store_elsewhere():
    invoker = Invoker.from_url("memory://opened-here/", task_store="memory://opened-elsewhere/?queue=state")

    assert [backend.url.hosts for backend in invoker.backends] == [
        BackendURL.parse(url).hosts for url in ("memory://opened-here/", "memory://opened-elsewhere/")
    ]
