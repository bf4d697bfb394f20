"""The main job in a real browser with the full demo preset: `python benchmarks/main_job.py [FOLDER]` prints seconds from click to grid and takes the screenshots of docs/.

What is made is kept in FOLDER, if one is given; where it holds a run already, only the screenshots are taken.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
WIDTHS = {1440: 1000, 390: 844}
TABS = ("Dataset", "Analyzer", "Training", "Evaluation")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
AN_HOUR = 3_600_000
LARGEST_PICTURE = 300_000


def main() -> None:
    with tempfile.TemporaryDirectory() as passing, sync_playwright() as playwright:
        output = sys.argv[1] if len(sys.argv) > 1 else passing
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        with _served(output) as address:
            if not list(Path(output).glob("*.safetensors")):
                print(json.dumps(_drive(_open(browser, address, 1440), _open(browser, address, 390))), flush=True)
            for width in WIDTHS:
                _photograph(_open(browser, address, width), width)
            for width, tab in ((1440, "Training"), (390, "Evaluation")):
                dark = _open(browser, address, width, "dark")
                dark.get_by_role("tab", name=tab).click()
                _photograph_tab(dark, f"{tab.lower()}-dark-{width}")
        with _served(f"{passing}/locked", "--public") as address:
            door = browser.new_page(viewport={"width": 720, "height": 420})
            door.goto(f"{address}/login")
            _save(door.screenshot(), "login")
        browser.close()


@contextlib.contextmanager
def _served(output: str, *arguments: str) -> Iterator[str]:
    """The studio as a process on a free port of this machine, until it is left."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "app.py", "--port", str(port), *arguments], cwd=ROOT, env={**os.environ, "OUT_DIR": output})
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(address)
        yield address
    finally:
        server.terminate()
        server.wait(20)


def _drive(page: Page, phone: Page) -> dict[str, float]:
    """Demo preset, Start, wait, draw the grid; seconds of each part. The phone only looks on while it trains."""
    page.get_by_role("tab", name="Training").click()
    page.locator("#preset input").click()
    page.get_by_role("option", name="Demo").click()
    expect(page.locator("#preset-about")).to_contain_text("rehearsal")
    page.get_by_role("tab", name="Analyzer").click()
    page.get_by_role("button", name="Analyze").click()
    expect(page.locator("#report")).to_contain_text("Ready", timeout=60_000)
    page.get_by_role("tab", name="Training").click()
    began = time.monotonic()
    page.get_by_role("button", name="Start training").click()
    expect(page.locator("#status")).to_contain_text("step 100 of", timeout=AN_HOUR)
    _photograph_tab(page, "training-running-1440")
    phone.get_by_role("tab", name="Training").click()
    _photograph_tab(phone, "training-running-390")
    phone.close()
    expect(page.locator("#status")).to_contain_text("Finished", timeout=AN_HOUR)
    trained = time.monotonic()
    page.get_by_role("tab", name="Evaluation").click()
    page.locator("#draw").click()
    expect(page.locator("#grid-status")).to_contain_text("Drawn in", timeout=AN_HOUR)
    drawn = time.monotonic()
    return {"training_s": round(trained - began, 1), "grid_s": round(drawn - trained, 1), "click_to_grid_s": round(drawn - began, 1)}


def _photograph(page: Page, width: int) -> None:
    for tab in TABS:
        page.get_by_role("tab", name=tab).click()
        _photograph_tab(page, f"{tab.lower()}-{width}")


def _photograph_tab(page: Page, name: str) -> None:
    page.evaluate("document.querySelectorAll('img[loading=lazy]').forEach(image => image.loading = 'eager')")
    page.wait_for_timeout(6000)  # a training may have both cores
    _save(page.screenshot(full_page=True), name)


def _save(png: bytes, name: str) -> None:
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    file = ROOT / "docs" / f"{name}.png"
    for colours in (256, 128, 64, 32):  # the page is mostly flat, and a repository keeps every picture for good
        picture.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(file, optimize=True)
        if file.stat().st_size < LARGEST_PICTURE:
            return


def _open(browser: Browser, address: str, width: int, colours: Literal["light", "dark"] = "light") -> Page:
    page = browser.new_page(viewport={"width": width, "height": WIDTHS[width]}, color_scheme=colours)
    page.goto(address)
    expect(page.get_by_role("heading", name="Identity LoRA Studio")).to_be_visible(timeout=60_000)
    return page


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
