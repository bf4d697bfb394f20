"""Work on people's photos that lasts, by the page or a command: while it goes on nobody is deleted, and while somebody is deleted none begins."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from core.durable import storage_error
from core.errors import Refused

SIGNS_FOLDER, DELETING = ".at-work", ".deleting.lock"
# Outlasts whoever only looks whether a lock is free.
PATIENCE = 0.5


@contextlib.contextmanager
def at_work(output: Path, what: str) -> Iterator[None]:
    """Hold a sign that says `what` is done, such as 'making captions', but not whose photos they are. Raises Refused while somebody is deleted.

    A process that dies lets go of its sign's lock. The sign goes up before the look at the deletion, which goes the other way round, so that one of both is seen.
    """
    sign = output / SIGNS_FOLDER / f"{secrets.token_hex(8)}.lock"
    words = sign.with_suffix(".txt")
    try:
        sign.parent.mkdir(parents=True, exist_ok=True)
        words.write_text(what, encoding="utf-8")
        lock = FileLock(sign, thread_local=False)
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        raise _refused_by_deletion(output) from None
    except OSError as error:
        raise storage_error(error, sign.parent) from None
    try:
        if _is_held(output / DELETING):
            raise _refused_by_deletion(output)
        yield
    finally:
        words.unlink(missing_ok=True)
        lock.release()
        sign.unlink(missing_ok=True)


@contextlib.contextmanager
def nobody_at_work(output: Path) -> Iterator[None]:
    """For a deletion. Raises Refused with the words of a sign that is up; signs of processes that died are taken down."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        lock = FileLock(output / DELETING, thread_local=False)
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        raise _refused_by_deletion(output) from None
    except OSError as error:
        raise storage_error(error, output) from None
    try:
        for sign in (output / SIGNS_FOLDER).glob("*.lock"):
            words = sign.with_suffix(".txt")
            if _is_held(sign):
                what = words.read_text(encoding="utf-8") if words.exists() else "working on photos"
                raise Refused(f"Somebody is {what}, here or by a command.", "", "Stop that, or wait until it has ended. Nothing was deleted.")
            sign.unlink(missing_ok=True)
            words.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def _is_held(file: Path) -> bool:
    if not file.exists():
        return False
    try:
        with FileLock(file, thread_local=False).acquire(timeout=0):
            return False
    except Timeout:
        return True


def _refused_by_deletion(output: Path) -> Refused:
    return Refused("Everything about a person is being deleted.", str(output), "Wait until that has ended.")
