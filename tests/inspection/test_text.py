"""What a driver wrote is shown without giving a password away."""

from __future__ import annotations

import pytest

from huey_core.backends.url import BackendURL
from huey_core.inspection.text import hide_password


@pytest.mark.parametrize("said", ["no such user: s3cret!", "cannot connect to kite://bob:s3cret%21@host"])
def test_a_password_is_hidden_as_it_is_and_as_a_url_has_it(said):
    hidden = hide_password(said, BackendURL.parse("kite://bob:s3cret%21@host/"))

    assert "s3cret" not in hidden
    assert "***" in hidden


def test_a_url_without_a_password_hides_nothing():
    assert hide_password("no route to host", BackendURL.parse("kite://host/")) == "no route to host"
