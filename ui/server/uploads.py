"""Uploads: photos come in pieces that any proxy lets through, go on where they were cut, and are taken in by the one door."""

from __future__ import annotations

import contextlib
import re
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from core.at_work import at_work
from core.dataset.arrivals import Arrival, Receipt, refusal
from core.dataset.inbox import CHUNK, Inbox, WrongOffset
from core.dataset.intake import take_in
from core.errors import Refused, UserError
from ui.studio import Studio

BATCH = re.compile(r"[0-9a-f]{16,64}")
RECEIVING = "receiving photos"
MOST_BATCHES = 50  # whose receipts are kept for a page that asks late
LONGEST_NAME = 4096


class Announced(BaseModel):
    """A file the browser is about to send; `modified` is its date in milliseconds, part of what makes it the same file."""

    folder: str
    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    size: int = Field(ge=0, lt=10**12)
    modified: int


class Sent(BaseModel):
    identity: str
    name: str = Field(min_length=1, max_length=LONGEST_NAME)


class Batch(BaseModel):
    """Everything that was dropped at once; a caption finds its photo within it."""

    folder: str
    files: list[Sent] = Field(min_length=1, max_length=2000)


@dataclass
class Progress:
    """Grows while a batch is taken in; `failed` is a fault of the program, which its log explains."""

    receipts: list[Receipt] = field(default_factory=list)
    done: bool = False
    failed: bool = False


class Uploads:
    """The inboxes of all datasets, and the batches that are taken in, one after the other."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._inboxes: dict[str, Inbox] = {}
        self._batches: dict[str, Progress] = {}
        self._changing = threading.Lock()
        self._taking_in = threading.Lock()

    def inbox(self, folder: str) -> Inbox:
        with self._changing:
            return self._inboxes.setdefault(folder, Inbox(Path(folder)))

    def progress(self, identity: str) -> Progress | None:
        return self._batches.get(identity)

    def take_in(self, identity: str, batch: Batch, require_listed: Callable[[], object]) -> Progress:
        """On a thread of its own; asked again for the same batch, the same progress. Returns at once. Raises Refused while somebody is deleted.

        `require_listed` is asked once nobody can be deleted any more: the folder may be gone since the batch was announced.
        """
        with self._changing:
            if identity in self._batches:
                return self._batches[identity]
            with contextlib.ExitStack() as stack:
                stack.enter_context(at_work(self._output, "taking in photos"))
                require_listed()
                sign = stack.pop_all()
            progress = self._batches[identity] = Progress()
            for old in list(self._batches)[:-MOST_BATCHES]:
                del self._batches[old]
        threading.Thread(target=self._run, args=(batch, progress, sign), name="intake", daemon=True).start()
        return progress

    def _run(self, batch: Batch, progress: Progress, sign: contextlib.ExitStack) -> None:
        with sign:
            self._take_in(batch, progress)

    def _take_in(self, batch: Batch, progress: Progress) -> None:
        inbox = self.inbox(batch.folder)
        progress.failed = True  # until it has gone well to the end
        try:
            inbox.folder.mkdir(parents=True, exist_ok=True)
            with self._taking_in, tempfile.TemporaryDirectory(prefix="batch-", dir=inbox.folder, ignore_cleanup_errors=True) as workplace:
                arrivals = []
                for sent in batch.files:
                    try:
                        arrivals.append(Arrival(sent.name, inbox.whole(sent.identity)))
                    except UserError as error:
                        progress.receipts.append(refusal(Arrival(sent.name, inbox.folder), error))
                for receipt in take_in(arrivals, Path(batch.folder), Path(workplace)):
                    progress.receipts.append(receipt)
                for arrival in arrivals:
                    arrival.file.unlink(missing_ok=True)
            progress.failed = False
        finally:
            progress.done = True


def add_upload_routes(app: FastAPI, studio: Studio) -> None:
    """The page announces a file, sends its pieces, then hands the batch in and asks how far it is."""
    uploads = Uploads(studio.store.root)
    for folder in studio.listing("dataset"):
        with contextlib.suppress(UserError):  # said when somebody uploads there
            uploads.inbox(folder).sweep(time.time())

    @app.post("/uploads")
    def announce(announced: Announced) -> Response:
        try:
            with at_work(studio.store.root, RECEIVING):
                identity, offset = _inbox(announced.folder).open(announced.name, announced.size, announced.modified, time.time())
        except UserError as error:
            return _said(error)
        return JSONResponse({"identity": identity, "offset": offset, "chunk": CHUNK})

    @app.put("/uploads/{identity}")
    async def append(identity: str, folder: str, offset: int, request: Request) -> Response:
        piece = await _body(request)
        if len(piece) > CHUNK:
            return _said(Refused(f"A piece has more than {CHUNK:,} bytes."))
        try:
            return JSONResponse({"offset": await run_in_threadpool(_append, folder, identity, offset, piece)})
        except WrongOffset as wrong:
            return JSONResponse({"offset": wrong.offset}, 409)
        except UserError as error:
            return _said(error)

    @app.post("/uploads/batches/{identity}")
    def hand_in(identity: str, batch: Batch) -> Response:
        try:
            if not BATCH.fullmatch(identity):
                raise Refused("There is no such batch.")
            found = uploads.take_in(identity, batch, lambda: _require_listed(batch.folder))
        except UserError as error:
            return _said(error)
        return JSONResponse(_shown(found, studio))

    @app.get("/uploads/batches/{identity}")
    def progress(identity: str) -> Response:
        found = uploads.progress(identity)
        return JSONResponse(_shown(found, studio)) if found else _said(Refused("The studio was restarted meanwhile.", "", "Choose the files again; what has arrived is not sent twice."))

    def _append(folder: str, identity: str, offset: int, piece: bytes) -> int:
        with at_work(studio.store.root, RECEIVING):
            return _inbox(folder).append(identity, offset, piece)

    def _inbox(folder: str) -> Inbox:
        _require_listed(folder)
        return uploads.inbox(folder)

    def _require_listed(folder: str) -> None:
        if folder not in studio.listing("dataset"):
            raise Refused("This is not one of the dataset folders.", "", "Choose one in the list, or create it.")


async def _body(request: Request) -> bytes:
    """One byte more than a piece at most; of a request that was cut, what has arrived: every network gets forward."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > CHUNK:
                break
    except ClientDisconnect:
        return bytes(body)
    return bytes(body)


def _shown(progress: Progress, studio: Studio) -> dict[str, Any]:
    return {"server": studio.server, "done": progress.done, "failed": progress.done and progress.failed, "receipts": [asdict(receipt) for receipt in list(progress.receipts)]}


def _said(error: UserError) -> Response:
    """422 for a wish that cannot be, 507 when the disk refuses: neither is tried again by the page."""
    return JSONResponse({"what": error.what, "fix": error.fix}, 422 if isinstance(error, Refused) else 507)
