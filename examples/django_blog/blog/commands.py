"""What is not done in a request. ``manage.py run_huey`` finds this module by its name.

Every command may run twice, when a consumer is killed before it could say that it was done. So each looks first whether
there is still something to do.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.utils import timezone

from blog.models import Letter, Post
from huey_django import crontab, periodic_command, queue_command


@queue_command(retries=5, retry_delay=10, retry_backoff=3)
def mail_letter(letter_id: int) -> None:
    """Send a letter to the editors, who may have to wait for their mail server."""
    letter = Letter.objects.get(pk=letter_id)
    if letter.mailed_at is None:
        send_mail(f"A letter of {letter.sender}", letter.text, None, settings.EDITORS)
        letter.mailed_at = timezone.now()
        letter.save(update_fields=["mailed_at"])


@queue_command
def publish(post_id: int) -> bool:
    """Let readers see a post whose time has come, and say whether it was this call that did."""
    now = timezone.now()
    # The post may have been given a later time since, and then another call is scheduled for that. The server that
    # decided that this one is due has a clock of its own, hence the minute.
    due = Post.objects.filter(pk=post_id, published_at=None, publish_at__lte=now + timedelta(minutes=1))
    return bool(due.update(published_at=now))


@periodic_command(crontab(hour=3, minute=0))
def forget_letters() -> None:
    """Delete letters a month after the editors got them."""
    Letter.objects.filter(mailed_at__lt=timezone.now() - timedelta(days=30)).delete()
