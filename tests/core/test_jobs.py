import contextlib
import errno
import threading

import pytest

from core.errors import Refused, UserError
from core.events import Phase, RunFinished
from core.jobs import Worker, drain
from core.runs import EventLog


def failing(error):
    yield Phase(what="Starting")
    raise error


@pytest.mark.parametrize(
    ("error", "word"),
    [(UserError("No photo.", "data", "Add one."), "No photo."), (OSError(errno.ENOSPC, "full"), "space"), (ZeroDivisionError("boom"), "boom"), (type("OutOfMemoryError", (RuntimeError,), {})(), "memory")],
)
def test_an_exception_becomes_the_last_event(tmp_path, error, word):
    log = EventLog(tmp_path / "events.jsonl")
    last = drain(lambda: failing(error), log)
    assert last.kind == "failed" and word in last.what and last.fix and "Traceback" in last.detail
    assert log.ended() == last


def test_a_job_without_an_end_is_a_fault(tmp_path):
    with pytest.raises(RuntimeError, match="no end"):
        drain(lambda: iter([Phase(what="Starting")]), EventLog(tmp_path / "log"))


def test_start_returns_while_the_job_runs_and_refuses_a_second(tmp_path):
    go, worker, log = threading.Event(), Worker(), EventLog(tmp_path / "log")

    def job():
        go.wait(20)
        yield RunFinished(seconds=0.0)

    worker.start(contextlib.nullcontext(), lambda: (job, log))
    assert worker.is_busy()
    with pytest.raises(Refused):
        worker.start(contextlib.nullcontext(), lambda: (job, log))
    go.set()
    assert worker.wait(20) and log.ended().kind == "finished"


def test_a_refused_preparation_lets_the_lock_go(tmp_path):
    held = []

    @contextlib.contextmanager
    def lock():
        held.append("taken")
        try:
            yield
        finally:
            held.append("released")

    def refuse():
        raise Refused("taken name")

    worker = Worker()
    with pytest.raises(Refused):
        worker.start(lock(), refuse)
    assert held == ["taken", "released"]
    assert not worker.is_busy()
    worker.start(contextlib.nullcontext(), lambda: (lambda: iter([RunFinished(seconds=0.0)]), EventLog(tmp_path / "log")))
    assert worker.wait(20)


def test_the_lock_is_released_when_the_job_fails(tmp_path):
    released = threading.Event()

    @contextlib.contextmanager
    def lock():
        try:
            yield
        finally:
            released.set()

    worker = Worker()
    worker.start(lock(), lambda: (lambda: failing(ValueError("x")), EventLog(tmp_path / "log")))
    assert worker.wait(20) and released.is_set()
