"""What a first visit costs: `python benchmarks/page_load.py` prints bytes by type, requests, first paint and the time until the page answers a click, cold and warm."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, Response, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
# A phone network of the middling kind: bytes per second down, milliseconds of delay.
SLOW = {"offline": False, "downloadThroughput": 1_600_000 / 8, "uploadThroughput": 750_000 / 8, "latency": 150}


def main() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as output, sync_playwright() as playwright:
        server = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT, env={**os.environ, "OUT_DIR": output}, stdout=subprocess.DEVNULL)
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(address)
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            visit(browser.new_context(), address, None)  # warms the server, which compiles its templates at the first call
            context = browser.new_context(viewport={"width": 1440, "height": 1000})
            for label, network in (("cold", None), ("warm", None)):
                print(json.dumps({"visit": label, **visit(context, address, network)}), flush=True)
            phone = browser.new_context(viewport={"width": 390, "height": 844})
            print(json.dumps({"visit": "cold, phone, 1.6 Mbit/s", **visit(phone, address, SLOW)}), flush=True)
            browser.close()
        finally:
            server.terminate()
            server.wait(20)


def visit(context: BrowserContext, address: str, network: dict | None) -> dict[str, object]:
    """Times in seconds from the call of the address; bytes as they came over the wire."""
    page = context.new_page()
    page.set_default_timeout(180_000)
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    if network:
        session.send("Network.emulateNetworkConditions", network)
    received: Counter[str] = Counter()
    kinds: dict[str, str] = {}
    session.on("Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["type"]}))
    session.on("Network.loadingFinished", lambda event: received.update({kinds.get(event["requestId"], "Other"): int(event["encodedDataLength"])}))
    asked: list[Response] = []
    page.on("response", lambda response: asked.append(response))
    began = time.monotonic()
    page.goto(address)
    seconds = _until_it_answers(page, began)
    count = len(asked)
    page.wait_for_timeout(3000)
    paints = dict(page.evaluate("performance.getEntriesByType('paint').map((entry) => [entry.name, entry.startTime])"))
    shift = page.evaluate(SHIFT)
    page.close()
    return {
        "first_paint_s": round(paints.get("first-contentful-paint", 0) / 1000, 2), "answers_s": round(seconds, 2), "requests_until_then": count, "layout_shift": round(shift, 3),
        "kB": {kind: round(size / 1000) for kind, size in received.most_common() if size >= 500}, "kB_all": round(sum(received.values()) / 1000),
    }  # fmt: skip


SHIFT = "new Promise((done) => { let sum = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value; }).observe({ type: 'layout-shift', buffered: true }); setTimeout(() => done(sum), 300); })"


def _until_it_answers(page: Page, began: float) -> float:
    """The tab that was clicked shows its button: the page is there and works."""
    page.get_by_role("tab", name="Training").click()
    expect(page.get_by_role("button", name="Start training")).to_be_visible()
    expect(page.get_by_role("navigation", name="From photos to a LoRA")).to_be_visible()
    return time.monotonic() - began


def wait_for(address: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/healthz", timeout=2)
            return
        except OSError:
            time.sleep(0.3)
    raise SystemExit("the server did not answer")


if __name__ == "__main__":
    main()
