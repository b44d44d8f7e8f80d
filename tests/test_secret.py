"""A secret shows itself masked and is the text that it is in every other respect."""

from __future__ import annotations

import copy
import pickle
import pprint

import pytest

from huey_core.backends.url import BackendURL
from huey_core.secret import Secret, SecretBytes, hidden, revealed, with_secrets_hidden


@pytest.mark.parametrize("secret", [Secret("s3cret"), SecretBytes(b"s3cret")], ids=["text", "bytes"])
@pytest.mark.parametrize(
    "show", [repr, str, "{}".format, "{!r:>9}".format, "{:>9}".format, pprint.pformat, lambda it: pprint.pformat([it])]
)
def test_it_is_shown_masked(show, secret):
    assert "s3cret" not in show(secret)
    assert "***" in show(secret)


def test_it_is_the_text_in_every_other_respect():
    secret = Secret("s3cret")

    assert (secret, hash(secret), len(secret), secret.encode()) == ("s3cret", hash("s3cret"), 6, b"s3cret")
    assert type(revealed(secret)) is type(revealed("s3cret")) is str


@pytest.mark.parametrize("again", [Secret, hidden, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_what_is_made_of_a_secret_is_one_and_keeps_its_text(again):
    secret = again(Secret("s3cret"))

    assert (type(secret), revealed(secret)) == (Secret, "s3cret")


def test_of_settings_those_are_hidden_that_are_urls_or_are_called_like_a_secret():
    given = {"url": "redis://:pw@host", "password": "pw", "CONNECTION": {"api_key": "pw"}, "host": "here", "port": 1}

    assert with_secrets_hidden(given) == given
    assert "pw" not in repr(with_secrets_hidden(given))
    assert "here" in repr(with_secrets_hidden(given))


def test_the_password_and_the_secret_options_of_a_url_are_secrets():
    url = BackendURL.parse("redis://ann:s3cret@host?token=s3cret&queue=mail")

    assert (type(url.password), [type(value) for _, value in url.query]) == (Secret, [Secret, str])
    assert url.render(hide_password=False) == "redis://ann:s3cret@host?token=s3cret&queue=mail"
