"""The project's queues in Django's admin, of any backend: what is in them, with retry, delete, pause and resume.

A page is made of what the inspection contract of a queue says at that moment, and nothing is kept in the database but
the log of what was done. A backend that cannot list its messages, or a server that is down, makes a page that says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext, gettext_lazy, ngettext

from huey_core.backends import State
from huey_core.inspection import dead_ids, delete, retry
from huey_core.text import printable
from huey_django.conf import SettingsError
from huey_django.inspection import (
    Done,
    ServerUnavailable,
    asking,
    queues,
    summarise,
)
from huey_django.models import Command
from huey_django.shown import LIST_LIMIT, PAGE_LIMIT, ShownMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.contrib.auth.models import User
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern
    from django.utils.functional import _StrPromise

    from huey_core.backends import Counts, LeasedQueue, StoredMessage
    from huey_django.project_queue import ProjectQueue

    ModelAdmin = admin.ModelAdmin[Command]
else:
    ModelAdmin = admin.ModelAdmin

__all__ = ["CommandAdmin"]

PAGE_SIZE: Final = 50

STATE_LABELS: Final[dict[State, _StrPromise]] = {
    State.READY: gettext_lazy("Ready"),
    State.SCHEDULED: gettext_lazy("Scheduled"),
    State.RUNNING: gettext_lazy("Running"),
    State.DEAD: gettext_lazy("Dead"),
}

RETRIED_FROM: Final = frozenset({State.SCHEDULED, State.DEAD})
"""The states from which a message can be made ready."""


@admin.register(Command)
class CommandAdmin(ModelAdmin):
    """Pages about queues and the commands in them; none of them is a form for a model."""

    def get_urls(self) -> list[URLPattern]:
        """The pages."""
        return [
            path("", self._page_of(self.overview), name="huey_django_command_changelist"),
            path("queue/<str:key>/<str:state>/", self._page_of(self.state_list), name="huey_django_command_state"),
            # Named as the admin's log names the page of what it lists.
            path("<path:address>/change/", self._page_of(self.message), name="huey_django_command_change"),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Commands are enqueued by the application."""
        return False

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        """Let the index offer to view the queues: there is no form to change them with."""
        return {**super().get_model_perms(request), "change": False}

    def overview(self, request: HttpRequest) -> HttpResponse:
        """Every queue at a glance; POST pauses one, or lets it go on."""
        if request.method == "POST":
            return self._pause_or_resume(request, _find_queue(request.POST.get("queue", "")))
        summaries = [summarise(queue) for queue in queues()]
        cards = [(each, _tabs(each.counts)) for each in summaries]
        return self._render(request, "overview", gettext("Queues"), cards=cards)

    def state_list(self, request: HttpRequest, key: str, state: str) -> HttpResponse:
        """The messages in one state of a queue; POST does something to some of them."""
        queue = _find_queue(unquote(key))
        if state not in STATE_LABELS:
            raise Http404
        if queue.leased is None:
            return self._render(request, "unavailable", queue.name, status=404, queue=queue)
        listing = _Listing(queue, queue.leased, State(state))
        if request.method == "POST":
            return self._act(request, listing)
        with asking(queue):
            counts = queue.leased.counts()
            slices = cast("Sequence[StoredMessage]", _Slices(queue.leased, listing.state, counts))
            page = Paginator(slices, PAGE_SIZE).get_page(request.GET.get("page"))
            found = list(page)
        limit = LIST_LIMIT if self._may_see_arguments(request) else None
        return self._render(
            request,
            "state_list",
            queue.name,
            subtitle=STATE_LABELS[listing.state],
            queue=queue,
            state=listing.state,
            tabs=_tabs(counts),
            page=page,
            pages=page.paginator.get_elided_page_range(page.number),
            shown=[ShownMessage.read(queue, each, limit) for each in found],
            shows_arguments=limit is not None,
            all_selected="select" in request.GET,
            can_retry=listing.retries and self.has_change_permission(request),
            can_delete=self.has_delete_permission(request),
        )

    def message(self, request: HttpRequest, address: str) -> HttpResponse:
        """Everything about one message."""
        key, message_id = Command.parse_address(unquote(address))
        queue = _find_queue(key)
        if queue.leased is None:
            return self._render(request, "unavailable", queue.name, status=404, queue=queue)
        with asking(queue):
            found = queue.leased.find([message_id])
        if not found:
            if message_id:
                gone = gettext("The command %(id)s is no longer in the queue: it has been run, or deleted.")
                messages.warning(request, gone % {"id": printable(message_id)})
            return self._redirect()
        limit = PAGE_LIMIT if self._may_see_arguments(request) else None
        shown = ShownMessage.read(queue, found[0], limit)
        state = shown.stored.state
        return self._render(
            request,
            "message",
            shown.name or gettext("Unreadable message"),
            subtitle=STATE_LABELS[state],
            queue=queue,
            state=state,
            shown=shown,
            can_retry=state in RETRIED_FROM and self.has_change_permission(request),
            can_delete=self.has_delete_permission(request),
        )

    def _pause_or_resume(self, request: HttpRequest, queue: ProjectQueue) -> HttpResponse:
        _require(self.has_change_permission(request))
        leased, action = queue.invoker.leased_queue, request.POST.get("action")
        if action not in {"pause", "resume"} or leased is None or not queue.can_pause:
            raise BadRequest("this queue cannot do that")
        with asking(queue):
            if action == "pause":
                leased.pause()
            else:
                leased.resume()
        said = gettext("Paused.") if action == "pause" else gettext("Resumed.")
        self._log(request, [_entry(queue)], CHANGE, said)
        messages.success(request, f"{queue.name}: {said}")
        return self._redirect()

    def _act(self, request: HttpRequest, listing: _Listing) -> HttpResponse:
        action, ids = request.POST.get("action", ""), request.POST.getlist("id")
        retries, everything = action.startswith("retry"), action.endswith("_all")
        _require(self.has_change_permission(request) if retries else self.has_delete_permission(request))
        if action not in listing.actions:
            raise BadRequest("there is no such action here")
        if not ids and not everything:
            messages.warning(request, gettext("Select the commands to do that to."))
            return self._back_to(request, listing)
        if (everything or not retries) and "confirmed" not in request.POST:
            return self._confirm(request, listing, action, ids)
        latest = _seconds(request.POST.get("latest")) if everything else 0.0
        done = Done()
        try:
            with asking(listing.queue):
                chosen = dead_ids(listing.leased, latest) if everything else ids
                parts = (
                    retry(listing.leased, chosen, listing.state)
                    if retries
                    else delete(listing.queue.invoker, chosen, listing.state)
                )
                for part in parts:
                    done.add(part, by_name=not everything)
        finally:
            # A server that fails midway leaves something done.
            self._log_done(request, listing.queue, done, retries=retries)
        _tell(request, done, listing.state, retries=retries)
        return self._back_to(request, listing)

    def _confirm(self, request: HttpRequest, listing: _Listing, action: str, ids: list[str]) -> HttpResponse:
        with asking(listing.queue):
            latest = listing.leased.now()
            everything = action.endswith("_all")
            count = listing.leased.counts().dead if everything else 0
            found = [] if everything else [each for each in listing.leased.find(ids) if each.state is listing.state]
        limit = LIST_LIMIT if self._may_see_arguments(request) else None
        return self._render(
            request,
            "confirm",
            gettext("Are you sure?"),
            queue=listing.queue,
            state=listing.state,
            label=STATE_LABELS[listing.state],
            action=action,
            retries=action.startswith("retry"),
            everything=everything,
            count=count or len(found),
            # As text, so that no language's decimal comma gets into the form.
            latest=repr(latest),
            shown=[ShownMessage.read(listing.queue, each, limit) for each in found],
        )

    def _log_done(self, request: HttpRequest, queue: ProjectQueue, done: Done, *, retries: bool) -> None:
        flag, said = (CHANGE, gettext("Made ready to run.")) if retries else (DELETION, "")
        if done.messages:
            entries = [_entry(queue, ShownMessage.read(queue, each, None)) for each in done.messages]
            self._log(request, entries, flag, said)
        elif done.count and retries:
            self._log(request, [_entry(queue)], CHANGE, gettext("Dead commands made ready to run: %d.") % done.count)
        elif done.count:
            # Not as a deletion: the queue is still there, and its entry links to it.
            self._log(request, [_entry(queue)], CHANGE, gettext("Dead commands deleted: %d.") % done.count)

    def _log(self, request: HttpRequest, entries: list[Command], flag: int, said: str) -> None:
        LogEntry.objects.log_actions(cast("User", request.user).pk, entries, flag, said)

    def _may_see_arguments(self, request: HttpRequest) -> bool:
        return cast("User", request.user).has_perm("huey_django.view_command_arguments")

    def _page_of(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        """A view for those who may look at queues, that makes a page of what is wrong with the settings or a server."""

        @wraps(view)
        def page(request: HttpRequest, **arguments: str) -> HttpResponse:
            _require(self.has_view_permission(request))
            try:
                return view(request, **arguments)
            except ServerUnavailable as error:
                queue, problem = error.queue, error.problem
                return self._render(
                    request,
                    "unavailable",
                    queue.name,
                    status=503,
                    queue=queue,
                    problem=problem,
                    was_posted=request.method == "POST",
                )
            except SettingsError as error:
                return self._render(request, "unavailable", gettext("Queues"), status=503, problem=str(error))

        return self.admin_site.admin_view(page)

    def _render(
        self, request: HttpRequest, template: str, title: str, *, status: int = 200, **context: Any
    ) -> HttpResponse:
        # By this the tag "url" finds the pages of this site, where a project has several.
        request.current_app = self.admin_site.name
        shared = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "can_change": self.has_change_permission(request),
        }
        return TemplateResponse(request, f"admin/huey_django/{template}.html", {**shared, **context}, status=status)

    def _redirect(self, name: str = "changelist", query: str = "", **arguments: str) -> HttpResponse:
        url = reverse(f"admin:huey_django_command_{name}", kwargs=arguments, current_app=self.admin_site.name)
        return HttpResponseRedirect(url + query)

    def _back_to(self, request: HttpRequest, listing: _Listing) -> HttpResponse:
        page = request.POST.get("page", "")
        query = f"?page={page}" if page.isascii() and page.isdigit() else ""
        return self._redirect("state", query, key=quote(listing.queue.key), state=listing.state)


@dataclass(frozen=True)
class _Listing:
    """What a list shows, and what can be done there."""

    queue: ProjectQueue
    leased: LeasedQueue
    state: State

    @property
    def retries(self) -> bool:
        return self.state in RETRIED_FROM

    @property
    def actions(self) -> set[str]:
        """What can be posted."""
        actions = {"delete"}
        if self.retries:
            actions.add("retry")
        if self.state is State.DEAD:
            actions |= {"retry_all", "delete_all"}
        return actions


class _Slices:
    """The messages in one state, of which a paginator asks for one page."""

    def __init__(self, queue: LeasedQueue, state: State, counts: Counts) -> None:
        self._queue = queue
        self._state = state
        self._count: int = getattr(counts, state)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, part: slice) -> list[StoredMessage]:
        limit = part.stop - part.start
        return self._queue.peek(self._state, part.start, limit) if limit > 0 else []


def _require(permission: bool) -> None:
    if not permission:
        raise PermissionDenied


def _find_queue(key: str) -> ProjectQueue:
    for queue in queues():
        if queue.key == key:
            return queue
    raise Http404


def _tabs(counts: Counts | None) -> list[tuple[State, _StrPromise, int]]:
    return [] if counts is None else [(state, STATE_LABELS[state], getattr(counts, state)) for state in State]


def _entry(queue: ProjectQueue, shown: ShownMessage | None = None) -> Command:
    """A queue or a message, as the log names it."""
    if shown is None:
        return Command(address=Command.address_of(queue.key), label=queue.name)
    return Command(
        address=shown.address, label=f"{queue.name}: {shown.name or gettext('unreadable')} {shown.message_id}"
    )


def _seconds(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise BadRequest("latest is a number of seconds") from None


def _tell(request: HttpRequest, done: Done, state: State, *, retries: bool) -> None:
    if done.count and retries:
        said = ngettext("%d command is ready to run again.", "%d commands are ready to run again.", done.count)
        messages.success(request, said % done.count)
    elif done.count:
        said = ngettext("%d command was deleted.", "%d commands were deleted.", done.count)
        messages.success(request, said % done.count)
    if done.moved:
        said = ngettext(
            "%(count)d command was left alone, because it is no longer in the state “%(state)s”.",
            "%(count)d commands were left alone, because they are no longer in the state “%(state)s”.",
            done.moved,
        )
        messages.warning(request, said % {"count": done.moved, "state": STATE_LABELS[state]})
    if done.refused and retries:
        said = ngettext(
            "%d command was left alone, because another one with its unique key is in the queue.",
            "%d commands were left alone, because others with their unique keys are in the queue.",
            done.refused,
        )
        messages.warning(request, said % done.refused)
    elif done.refused:
        said = ngettext("%d command was gone already.", "%d commands were gone already.", done.refused)
        messages.warning(request, said % done.refused)
    if done.expired:
        said = ngettext(
            "%d command was left alone, because it has expired and would not run: call it again or delete it.",
            "%d commands were left alone, because they have expired and would not run: call them again or delete them.",
            done.expired,
        )
        messages.warning(request, said % done.expired)
    if not (done.count or done.moved or done.refused or done.expired):
        messages.info(request, gettext("There was nothing left to do that to."))
