"""The studio as it runs for people: the real server on a real socket, the gate with a token in front, spoken to byte by byte."""

import hashlib
import http.client
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from fastapi import FastAPI
from PIL import Image

from core.jobs import Worker
from core.machine import Machine
from core.masking import Mask
from core.runs import RunStore
from core.settings import parse_settings
from ui.server.build import build_app
from ui.server.credentials import Credentials
from ui.server.doorway import Doorway
from ui.server.gate import Gate
from ui.server.login import Brake
from ui.server.serve import Server
from ui.studio import Studio

TOKEN = "a-token-of-enough-length"
SECRET = b"cookie-secret-of-32-bytes-length"
HOST = "pod-7860.proxy.example.net"
HUB_TOKEN = "hf_AbCdEfGhIjKlMnOpQrStUvWx"


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)


@dataclass
class RunningStudio:
    """A studio on 127.0.0.1 with one dataset, one run with a sample, one LoRA and one secret file, all in `root`."""

    root: Path
    studio: Studio
    app: FastAPI
    gate: Gate
    server: Server

    @property
    def port(self) -> int:
        return self.server.socket.getsockname()[1]

    @property
    def dataset(self) -> Path:
        return self.root / "anna"

    @property
    def output(self) -> Path:
        return self.root / "output"

    def ask(self, method, target, headers=None, body=None, timeout=20.0) -> Answer:
        """One request as a stranger sends it; `target` goes out as it is. Of an endless stream only the head is read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, target, body, {"host": HOST} | (headers or {}))
            response = connection.getresponse()
            endless = response.getheader("content-type", "").startswith("text/event-stream")
            return Answer(response.status, response.getheaders(), b"" if endless else response.read())
        finally:
            connection.close()

    @property
    def cookie(self) -> dict[str, str]:
        return {"cookie": f"__Host-studio={self.gate.credentials.cookie()}"}

    def ask_as_owner(self, method, target, headers=None, body=None, timeout=20.0) -> Answer:
        return self.ask(method, target, self.cookie | (headers or {}), body, timeout)

    def post_json(self, target, value, method="POST") -> Answer:
        return self.ask_as_owner(method, target, {"content-type": "application/json"}, json.dumps(value).encode())

    def call(self, index, values, trigger=None, session=None) -> dict:
        """Call a handler of the page as its script does; the record that ends it: `success` and `output`."""
        session = session or f"session{threading.get_ident()}"
        joined = self.post_json("/gradio_api/queue/join", {"fn_index": index, "data": values, "session_hash": session, "trigger_id": trigger, "event_data": None})
        if joined.status != 200:
            return {"success": False, "output": {"error": joined.text}, "status": joined.status}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", f"/gradio_api/queue/data?session_hash={session}", headers={"host": HOST} | self.cookie)
            response = connection.getresponse()
            while line := response.readline():
                if line.startswith(b"data:") and (record := json.loads(line[5:]))["msg"] in ("process_completed", "unexpected_error"):
                    return record
        finally:
            connection.close()
        raise AssertionError(f"no end of call {index}")

    def call_many(self, calls) -> list[dict]:
        """(index, values) each, eight at a time; the records in the same order."""
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda one: self.call(*one), calls))

    def config(self) -> dict:
        return self.ask_as_owner("GET", "/config").json()

    @property
    def gradio(self) -> gr.routes.App:
        """The page's own application, mounted inside of ours."""
        return next(route.app for route in self.app.routes if isinstance(getattr(route, "app", None), gr.routes.App))

    def ticks(self, session) -> list[dict]:
        """What the script of a page load that has just opened sends to /gradio_api/run/predict."""
        return [{"fn_index": clock["id"], "data": [None] * len(clock["inputs"]), "session_hash": session} for clock in clocks_of(self.config())]

    def everything_written(self) -> dict[str, str]:
        """Each file under the root and a hash of it, to prove that nothing changed; locks that looking takes, and a wish to stop what does not run, do not count."""
        return {str(file.relative_to(self.root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(self.root.rglob("*")) if file.is_file() and not file.name.startswith((".job", ".stop"))}


def clocks_of(config: dict) -> list[dict]:
    """The handlers that draw the page as it opens, and again whenever its script asks: of those that hear the load, the ones that go past the queue."""
    return [handler for handler in config["dependencies"] if handler["targets"] and handler["targets"][0][1] == "load" and handler["queue"] is False]


def start_studio(root: Path) -> RunningStudio:
    output = root / "output"
    furnish(root, output)
    worker = Worker(Machine(), Mask([TOKEN]))
    studio = Studio(RunStore(output), {"DATA_DIR": str(root / "anna")}, trainer=worker)
    door = Doorway()
    gate = Gate(door, Credentials(TOKEN, SECRET), Brake())
    server = Server(gate, "127.0.0.1", 0)
    server.start()
    app = build_app(studio)
    door.open(app)
    return RunningStudio(root, studio, app, gate, server)


def furnish(root: Path, output: Path) -> None:
    (root / "anna").mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (64, 80), (60 * number, 90, 120)).save(root / "anna" / f"photo-{number}.png")
        (root / "anna" / f"photo-{number}.txt").write_text("ohwx person", encoding="utf-8")
    (root / "anna" / "evil.html").write_text("<script>alert(1)</script>")
    (root / "anna" / "evil.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    RunStore(output).create(parse_settings({"run.name": "anna", "run.output": str(output)}))
    samples = output / "samples" / "anna"
    samples.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(samples / "step-000000-0.webp")
    (samples / "note.txt").write_text("no picture")
    (samples / "page.html").write_text("<script>alert(1)</script>")
    (root / "outside.png").write_bytes((samples / "step-000000-0.webp").read_bytes())
    (samples / "link.png").symlink_to(root / "outside.png")
    (output / "samples" / "berta").symlink_to(root)
    (output / "anna.safetensors").write_bytes(b"weights")
    (output / "secret.txt").write_text("secret")
    (output / ".secrets").mkdir()
    (output / ".secrets" / "access_token").write_text(TOKEN)


def routes_of(app) -> set[tuple[str, str]]:
    """(method, path) of every route: of mounted applications and of included routers too, which a look at app.routes alone does not see."""
    return {(method, re.sub(r"\{[^}]+\}", "1", path)) for method, path in _walk(app.routes, "")}


def _walk(routes, prefix):
    for route in routes:
        path = prefix + getattr(route, "path", "")
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        if hasattr(inner, "routes"):
            yield from _walk(inner.routes, path.rstrip("/") if hasattr(route, "app") else prefix)
        elif hasattr(route, "methods"):
            yield from ((method, path) for method in route.methods or {"GET"})
        else:
            yield "GET", f"{path}/x"
