"""A running studio on an empty output folder, and headless Chromium in front of it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


class Studio:
    """The app as a process that tests may kill and start again."""

    def __init__(self, output: Path, variables: dict[str, str]) -> None:
        self.output = output
        self.variables = variables
        self.log = output.parent / "server.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        environment = {**os.environ, "OUT_DIR": str(self.output), **self.variables}
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([sys.executable, "app.py", "--port", str(self.port)], cwd=ROOT, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.address}/healthz", timeout=2)
                return
            except OSError:
                time.sleep(0.3)
        raise AssertionError(f"the server did not answer: {self.log.read_text()}")

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@pytest.fixture
def studio(tmp_path):
    running = Studio(tmp_path / "output", {"SEED": "7"})
    running.start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def shared_studio(tmp_path_factory):
    """One server for the tests of a module that leave it as they found it."""
    running = Studio(tmp_path_factory.mktemp("shared") / "output", {"SEED": "7"})
    running.start()
    yield running
    running.kill()


@pytest.fixture(scope="session")
def browser():
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    assert chromium, "Chromium is not installed: apt-get install chromium"
    with sync_playwright() as playwright:
        opened: Browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield opened
        opened.close()


@pytest.fixture(autouse=True)
def closed_pages(browser):
    """A page that stays open goes on asking its server, or one that is gone, and slows what comes after it."""
    yield
    for context in browser.contexts:
        context.close()
