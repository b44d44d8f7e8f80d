"""The web application: a picture is uploaded, its thumbnails are made by a consumer, and the page is told.

uvicorn fastapi_thumbnails.app:app
"""

from __future__ import annotations

import asyncio
import json
import shutil
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, UploadFile
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, StreamingResponse

from huey_core import AsyncData
from huey_core.exceptions import CommandException
from huey_core.invoker import CallStatus

from .commands import FOLDER, invoker, make_thumbnails

LARGEST_UPLOAD = 20 * 2**20
PAGE = Path(__file__).with_name("page.html").read_text()

app = FastAPI(title="Thumbnails")


@app.get("/", response_class=HTMLResponse)
async def page() -> str:
    return PAGE


@app.post("/thumbnails", status_code=202)
async def upload(request: Request, picture: UploadFile) -> dict[str, str]:
    """Take a picture, and answer at once: where to look for its thumbnails, and where to listen until they are made."""
    if picture.size is None or picture.size > LARGEST_UPLOAD:
        raise HTTPException(413, f"a picture has at most {LARGEST_UPLOAD} bytes")
    name = uuid.uuid4().hex
    await asyncio.to_thread(save, picture, FOLDER / name)
    handle = await make_thumbnails.acall(name)
    return {
        "url": str(request.url_for("thumbnails", call_id=handle.task_id)),
        "events": str(request.url_for("events", call_id=handle.task_id)),
    }


def save(picture: UploadFile, path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(picture.file, file)


# No async def: to ask where a call is may block, and FastAPI runs this in a thread.
@app.get("/thumbnails/{call_id}")
def thumbnails(request: Request, call_id: str) -> JSONResponse:
    """Say where the call is, and when it has ended what became of it."""
    info = invoker.result(call_id).info()
    answer: dict[str, Any] = {"status": info.status}
    if info.status == CallStatus.UNKNOWN:
        raise HTTPException(404, "no such call, or it was long ago")
    if not info.status.has_ended:
        return JSONResponse(answer, 202)
    if info.status != CallStatus.SUCCEEDED:
        return JSONResponse({**answer, "error": info.error.message if info.error else ""}, 422)
    names = invoker.result(call_id).get(blocking=True, timeout=10)
    return JSONResponse({**answer, "thumbnails": [str(request.url_for("thumbnail", name=name)) for name in names]})


@app.get("/thumbnails/{call_id}/events")
async def events(call_id: str) -> StreamingResponse:
    """Tell how far the call is, in server-sent events, until it has ended."""
    handle = invoker.result(call_id)
    if await asyncio.to_thread(handle.status) == CallStatus.UNKNOWN:
        raise HTTPException(404, "no such call, or it was long ago")
    return StreamingResponse(tell(handle), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


async def tell(handle: AsyncData[Any]) -> AsyncIterator[str]:
    """The events of a call. When the browser goes away, the generator is closed, and nothing watches any more."""
    try:
        async for progress in handle.watch_progress():
            yield event("progress", done=progress.done, total=progress.total, note=progress.note)
        await handle
    except CommandException:
        yield event("failed")
    else:
        yield event("made")


def event(name: str, **data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


@app.get("/files/{name}")
async def thumbnail(name: str) -> FileResponse:
    path = FOLDER / name
    # Beside the thumbnails are the pictures and the queue.
    if path.suffix != ".png" or not path.is_file():
        raise HTTPException(404, "no such thumbnail")
    return FileResponse(path)
