"""A small Hugging Face hub on this machine: listing, access check, files with ranges, and the failures a real one has."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

HUB_ID = "owner/flux"
COMMIT = "a" * 40
LARGE = 10_000


class SmallHub:
    """`files` by path; `status` and `code` answer every question when set; `cut_after` breaks the next large file off after so many bytes; `busy` never delivers one."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.status, self.code = 200, ""
        self.cut_after: int | None = None
        self.spoil = self.busy = False
        self.requests: list[tuple[str, str, str, str]] = []
        self.endpoint = ""

    def add_folder(self, folder: Path) -> None:
        self.files |= {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}

    def listing(self) -> dict:
        siblings = []
        for path, content in self.files.items():
            sha = hashlib.sha256(content).hexdigest()
            lfs = {"sha256": sha, "size": len(content), "pointerSize": 130} if len(content) > LARGE else None
            siblings.append({"rfilename": path, "size": len(content), "blobId": hashlib.sha1(content).hexdigest(), "lfs": lfs})
        return {"_id": "1", "id": HUB_ID, "modelId": HUB_ID, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False, "downloads": 0, "likes": 0}

    def fetched(self, path: str) -> list[str]:
        """The Range headers under which a file was asked for."""
        return [ranges for method, asked, ranges, _ in self.requests if method == "GET" and asked.endswith(f"/{path}")]


@contextmanager
def serving(hub: SmallHub):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.answer()

        def do_GET(self):
            self.answer()

        def answer(self):
            path = unquote(urlsplit(self.path).path)
            hub.requests.append((self.command, path, self.headers.get("Range", ""), self.headers.get("Authorization", "")))
            if hub.status != 200:
                return self.send(hub.status, b"{}", {"X-Error-Code": hub.code} if hub.code else {})
            if path.endswith("/auth-check"):
                return self.send(200, b"{}", {})
            if path.startswith("/api/models/"):
                return self.send(200, json.dumps(hub.listing()).encode(), {"Content-Type": "application/json"})
            name = path.split("/resolve/")[1].split("/", 1)[1]
            return self.send_file(hub.files[name])

        def send_file(self, content: bytes):
            large = len(content) > LARGE
            if hub.busy and large and self.command == "GET":
                return self.send(503, b"", {})
            headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{(hashlib.sha256 if large else hashlib.sha1)(content).hexdigest()}"', "Accept-Ranges": "bytes"}
            asked = self.headers.get("Range")
            begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            body = bytes(len(content) - begin) if hub.spoil and large else content[begin:]
            cut = hub.cut_after if self.command == "GET" and large else None
            if cut is not None:
                hub.cut_after = None
            return self.send(206 if asked else 200, body, headers, cut)

        def send(self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None):
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body[:cut])
            if cut is not None:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
