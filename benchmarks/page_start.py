"""How fast the page is up: `python benchmarks/page_start.py` starts it twice and prints seconds to the first answer and to the page being there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def measure_start(label: str) -> dict[str, object]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as output:
        began = time.monotonic()
        process = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT, env={**os.environ, "OUT_DIR": output}, stdout=subprocess.DEVNULL)
        try:
            address = f"http://127.0.0.1:{port}/healthz"
            answered = _wait_for(address, began, {200, 503})
            return {"start": label, "answer_s": answered, "page_s": _wait_for(address, began, {200})}
        finally:
            process.terminate()
            process.wait(20)


def _wait_for(address: str, began: float, statuses: set[int]) -> float:
    """While the page is built, /healthz answers 503."""
    while time.monotonic() - began < 120:
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:
                status = answer.status
        except urllib.error.HTTPError as refusal:
            status = refusal.code
        except OSError:
            status = 0
        if status in statuses:
            return round(time.monotonic() - began, 1)
        time.sleep(0.05)
    raise SystemExit(f"no answer from {address} in 120 s")


if __name__ == "__main__":
    for label in ("first", "second"):
        print(json.dumps(measure_start(label)), flush=True)
