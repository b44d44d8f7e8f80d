"""Order a report, and fetch it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, request, url_for

from huey_core.invoker import CallStatus

from .commands import invoker, make_report

reports = Blueprint("reports", __name__)


@reports.post("/reports")
def order() -> tuple[dict[str, Any], int]:
    """Have a report made, and answer at once where it will be."""
    year = (request.get_json() or {}).get("year")
    if type(year) is not int:
        abort(400, 'say of which year: {"year": 2026}')
    handle = make_report(year)
    return {"url": url_for(".report", call_id=handle.task_id, _external=True)}, 202


@reports.get("/reports/<call_id>")
def report(call_id: str) -> tuple[dict[str, Any], int] | tuple[dict[str, Any], int, dict[str, str]]:
    """The report, if it is made; else how far it is, and when to ask again."""
    handle = invoker().result(call_id)
    info = handle.info()
    if info.status == CallStatus.UNKNOWN:
        abort(404)
    if not info.status.has_ended:
        return {"status": info.status}, 202, {"Retry-After": "1"}
    if info.status != CallStatus.SUCCEEDED:
        return {"status": info.status, "error": info.error.message if info.error else ""}, 500
    return {"status": info.status, "totals": handle.get(blocking=True, timeout=10)}, 200
