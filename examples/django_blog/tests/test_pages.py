"""What the pages enqueue, and what the commands do: without a server and without waiting."""

from __future__ import annotations

from datetime import timedelta

import pytest
from blog.commands import forget_letters, mail_letter, publish
from blog.models import Letter, Post
from django.core import mail
from django.utils import timezone

from huey_django import get_invoker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_memory(huey_redirect):
    huey_redirect(get_invoker())


@pytest.fixture
def send(client, django_capture_on_commit_callbacks):
    """Send a form as a browser does; the request's transaction is committed."""

    def send(path, **fields):
        with django_capture_on_commit_callbacks(execute=True):
            response = client.post(path, fields)
        assert response.status_code == 302, response.context["form"].errors

    return send


def test_a_letter_is_mailed_to_the_editors(send, run_until_idle):
    send("/letter/", sender="ann@example.com", text="Dear editors,")

    run_until_idle()

    [message] = mail.outbox
    assert message.to == ["editors@example.com"]
    assert message.body == "Dear editors,"


def test_a_letter_is_mailed_once_however_often_its_command_runs(run_until_idle):
    letter = Letter.objects.create(sender="ann@example.com", text="Dear editors,")
    for _ in range(2):
        mail_letter.using(on_commit=False)(letter.pk)

    run_until_idle()

    assert len(mail.outbox) == 1


def test_a_post_is_scheduled_for_its_time(send, huey_recorder):
    send("/write/", title="News", text="None", publish_at="2999-01-01T08:00")

    post = Post.objects.get()

    assert huey_recorder.assert_enqueued(publish, post.pk).eta == post.publish_at.timestamp()


def test_a_post_is_seen_when_its_time_has_come(client, send):
    post = Post.objects.create(title="News", text="None", publish_at=timezone.now() - timedelta(seconds=1))

    assert publish.call_local(post.pk)

    assert "News" in client.get("/").content.decode()


def test_a_post_whose_time_was_moved_is_not_published_by_the_old_command(client):
    post = Post.objects.create(title="News", text="None", publish_at=timezone.now() + timedelta(hours=1))

    assert not publish.call_local(post.pk)

    assert "News" not in client.get("/").content.decode()


def test_old_letters_are_forgotten_in_the_night(huey_clock, run_until_idle):
    Letter.objects.create(sender="ann@example.com", text="", mailed_at=timezone.now() - timedelta(days=31))
    Letter.objects.create(sender="bob@example.com", text="", mailed_at=timezone.now())

    runs = run_until_idle(over=timedelta(days=1))

    assert [run.command.command_name for run in runs] == [forget_letters.command_class.command_name]
    assert [letter.sender for letter in Letter.objects.all()] == ["bob@example.com"]
