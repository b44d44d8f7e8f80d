"""What an outcome refuses before any backend sees it."""

from __future__ import annotations

import pytest

from huey_core.backends import Arrival, Message
from huey_core.exceptions import ConfigurationError


@pytest.mark.parametrize("of", [0, -1, 1.5, True, "2", None])
def test_a_group_has_a_whole_number_of_members(of):
    with pytest.raises(ConfigurationError, match="of must be a whole number of at least 1"):
        Arrival("group", "member", of, Message(b"then"))


@pytest.mark.parametrize("ttl", [0, -1.0, float("nan"), "60", None])
def test_a_group_is_kept_for_some_time(ttl):
    with pytest.raises(ConfigurationError, match=r"ttl must be a number of seconds of at least 0\.001"):
        Arrival("group", "member", 1, Message(b"then"), ttl)
