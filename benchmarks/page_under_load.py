"""How fast the page answers while a training runs: `python benchmarks/page_under_load.py [SECONDS]` prints milliseconds with and without a training, 300 streams and slow clients.

A server of its own, the pocket FLUX in training inside it, one tab's tick once a second and a look at the page between them.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.events import RunStarted
from core.presets import resolve
from core.runs import Run, RunStore
from tests.ui.running import clocks_of

STREAMS, SLOW = 300, 20


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    os.chdir(Path(__file__).resolve().parent.parent)
    with tempfile.TemporaryDirectory() as output:
        print(json.dumps({"case": "idle"} | _measured(RunStore(Path(output) / "idle"), seconds, training=None)), flush=True)
        store = RunStore(Path(output) / "busy")
        print(json.dumps({"case": "training"} | _measured(store, seconds, training=_broken_off_run(store))), flush=True)


def _broken_off_run(store: RunStore) -> Run:
    """Picked up by AUTO_RESUME: the training runs in the server's own process, as after a press of Start."""
    pairs = {"run.name": "load", "run.output": store.root, "dataset.folder": "data/demo-subject", "train.steps": 100_000, "train.validate_every": 0, "sampling.every": 0}
    run = store.create(resolve("demo", {}, [f"{key}={value}" for key, value in pairs.items()]).settings)
    run.log.append(RunStarted(job="train", name="load", steps=100_000))
    return run


def _measured(store: RunStore, seconds: float, training: Run | None) -> dict[str, object]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], env={**os.environ, "OUT_DIR": str(store.root), "AUTO_RESUME": "1" if training else "0"}, stdout=subprocess.DEVNULL)
    try:
        _wait(lambda: _ask(port, "/healthz")[0] == 200)
        if training is not None:
            _wait(lambda: _steps(training) >= 3)
        before = _steps(training) if training else 0
        alone = _answers(port, seconds)
        between = _steps(training) if training else 0
        held = [_stream(port, number) for number in range(STREAMS)] + [_slow(port) for _ in range(SLOW)]
        crowded = _answers(port, seconds)
        then = _steps(training) if training else 0
        for connection in held:
            connection.close()
        again = _answers(port, seconds)
        result: dict[str, object] = {"alone_ms": alone, f"with_{STREAMS}_streams_ms": crowded, "alone_again_ms": again}
        if training is not None:  # alone before and after: what else this machine did meanwhile shows in the difference of the two
            result |= {"step_s_alone": _seconds_per_step(training, before, between), "step_s_with_streams": _seconds_per_step(training, between, then), "step_s_alone_again": _seconds_per_step(training, then, _steps(training))}
        return result
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _answers(port: int, seconds: float) -> dict[str, float]:
    """Milliseconds of a tick (what an open tab asks each second), of the whole page, and of a thumbnail."""
    tick = max(clocks_of(json.loads(_ask(port, "/config")[1])), key=lambda clock: len(clock["outputs"]))  # the one that draws the run
    body = json.dumps({"fn_index": tick["id"], "data": [None] * len(tick["inputs"]), "session_hash": "bench"})
    asked = {"tick": ("POST", "/gradio_api/run/predict", body), "page": ("GET", "/", None), "photo": ("GET", "/photos?folder=data/demo-subject&name=photo-01", None)}
    taken: dict[str, list[float]] = {name: [] for name in asked}
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for name, (method, path, sent) in asked.items():
            began = time.perf_counter()
            _ask(port, path, method, sent)
            taken[name].append(1000 * (time.perf_counter() - began))
        time.sleep(0.25)
    return {f"{name}_{word}": round(value, 1) for name, times in taken.items() for word, value in (("median", statistics.median(times)), ("p95", sorted(times)[int(0.95 * len(times))]))}


def _ask(port: int, path: str, method: str = "GET", body: str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"content-type": "application/json"} if body else {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _stream(port: int, number: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/gradio_api/heartbeat/bench{number}")
    connection.getresponse()
    return connection


def _slow(port: int) -> socket.socket:
    """A form that never arrives whole."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(b"POST /uploads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{")
    return connection


def _steps(run: Run) -> int:
    return sum(event.kind == "step" for event in run.log.read()[0])


def _seconds_per_step(run: Run, begin: int, end: int) -> float:
    return round(statistics.median([event.seconds for event in run.log.read()[0] if event.kind == "step"][begin:end]), 3)


def _wait(is_so) -> None:
    for _ in range(1200):
        if _holds(is_so):
            return
        time.sleep(0.2)
    raise SystemExit("it did not come so far")


def _holds(is_so) -> bool:
    """A server that does not answer yet is no answer."""
    try:
        return is_so()
    except OSError:
        return False


if __name__ == "__main__":
    main()
