"""The queues and stores that a URL names."""

from __future__ import annotations

import pytest

from huey_core.backends.base import EmptyData
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
