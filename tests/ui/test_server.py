"""The server as a process: up at once, one per folder, gone in under four seconds with everything saved, at home behind any proxy."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time

import pytest

from app import parsed_arguments
from core.events import RunStarted
from core.ownership import Claim, Heartbeat
from core.presets import resolve
from core.runs import RunStore
from core.tasks import interrupted_run
from tests.conftest import ROOT
from tests.ui.certificates import self_signed
from tests.ui.cut_proxy import CutProxy
from tests.ui.running import HOST, TOKEN

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
ENOUGH = 90


class App:
    """`python app.py` on a free port."""

    def __init__(self, output, log, *arguments, **variables):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = log
        self.began = time.monotonic()
        environment = {key: value for key, value in os.environ.items() if not key.startswith("RUNPOD")} | {"OUT_DIR": str(output), "OMP_NUM_THREADS": "1", "APP_TOKEN": TOKEN} | variables
        with open(log, "w") as opened:
            self.process = subprocess.Popen([sys.executable, "app.py", "--port", str(self.port), *arguments], cwd=ROOT, env=environment, stdout=opened, stderr=opened)

    def ask(self, path, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers={"host": f"localhost:{self.port}"} | headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def answer(self, path):
        """Status 0 while nobody listens."""
        try:
            return self.ask(path)
        except OSError:
            return 0, ""

    def wait_for(self, status, path="/healthz"):
        while time.monotonic() - self.began < ENOUGH and self.process.poll() is None:
            answered, text = self.answer(path)
            if answered == status:
                return text
            time.sleep(0.05)
        pytest.fail(f"never {status}: {self.log.read_text()}")

    def stream(self):
        """An open heartbeat, as every tab holds one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", "/gradio_api/heartbeat/x", headers={"host": f"localhost:{self.port}", "authorization": f"Bearer {TOKEN}"})
        assert connection.getresponse().status == 200
        return connection

    def ends(self, number=signal.SIGTERM):
        """Exit code and seconds after a signal."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(60), time.monotonic() - began


@pytest.fixture
def app(tmp_path):
    started = []

    def start(*arguments, output=tmp_path / "output", **variables):
        started.append(App(output, tmp_path / f"log-{len(started)}.txt", *arguments, **variables))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


def test_it_answers_at_once_leads_in_when_it_is_built_and_leaves_with_open_streams(app, demo_subject):
    studio = app("--public")
    early = json.loads(studio.wait_for(503))
    assert early == {"ok": False} and studio.ask("/")[0] == 303 and studio.ask("/login")[0] == 200 and studio.ask("/config")[0] == 401
    page = studio.ask("/", authorization=f"Bearer {TOKEN}")
    assert page[0] == 200 and "starting" in page[1] and 'http-equiv="refresh"' in page[1]
    assert studio.ask("/config", authorization=f"Bearer {TOKEN}")[0] == 503
    studio.wait_for(200)
    assert "gradio" in studio.ask("/", authorization=f"Bearer {TOKEN}")[1]
    streams = [studio.stream() for _ in range(5)]
    code, seconds = studio.ends()
    assert code == 0 and seconds < 4 and len(streams) == 5
    assert "Traceback" not in studio.log.read_text()


def test_on_a_public_address_a_token_is_made_kept_and_printed_once_behind_the_hash(app, tmp_path):
    """HOST, PORT and APP_TOKEN are the variables of a template; here no token is set, and a restart gives the same one."""
    printed = []
    for _ in range(2):
        studio = app(HOST="0.0.0.0", APP_TOKEN="")
        studio.wait_for(503)
        kept = tmp_path / "output" / ".secrets" / "access_token"
        log = studio.log.read_text()
        printed += re.findall(r"http://localhost:\d+/login#(\S+)", log)
        assert kept.read_text().strip() == printed[-1] and log.count(printed[-1]) == 1 and stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert studio.ask("/config")[0] == 401 and studio.ask("/config", authorization=f"Bearer {printed[-1]}")[0] == 503
        studio.ends()
    assert len(printed) == 2 and len(set(printed)) == 1 and len(printed[0]) >= 32


def test_on_loopback_no_token_is_asked_for(app):
    alone = app(APP_TOKEN="")
    alone.wait_for(503)
    assert alone.ask("/")[0] != 303 and "login#" not in alone.log.read_text()
    assert alone.ask("/", **{"x-forwarded-for": "203.0.113.7"})[0] == 403


def test_on_a_pod_loopback_asks_too_because_its_image_may_lead_the_world_there(app):
    studio = app(APP_TOKEN="", RUNPOD_POD_ID="abc123def456")
    studio.wait_for(503)
    assert studio.ask("/")[0] == 303 and f"http://127.0.0.1:{studio.port}/login#" in studio.log.read_text()


@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [((), {}, ("127.0.0.1", 7860)), ((), {"HOST": "0.0.0.0", "PORT": "8123"}, ("0.0.0.0", 8123)), (("--host", "::1", "--port", "9000"), {"HOST": "0.0.0.0", "PORT": "8123"}, ("::1", 9000))],
)
def test_host_and_port_are_the_commands_or_else_the_variables(monkeypatch, arguments, variables, expected):
    for name in ("HOST", "PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["app.py", *arguments])
    parsed = parsed_arguments()
    assert (parsed.host, parsed.port) == expected


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_page_is_still_built_ends_it_at_once(app, number):
    studio = app()
    studio.wait_for(503)
    code, seconds = studio.ends(number)
    assert code == 0 and seconds < 4


def test_sigterm_in_the_middle_of_a_training_saves_it_within_four_seconds_under_open_streams(app, photos, tmp_path):
    """The run is picked up by AUTO_RESUME, as after a pod's restart, and is picked up again after the signal."""
    store = RunStore(tmp_path / "output")
    pairs = {"run.name": "anna", "run.output": store.root, "dataset.folder": photos, "train.steps": 5000, "train.batch_size": 1, "train.save_every": 2000, "train.validate_every": 0, "sampling.every": 0, "lora.rank": 4, "lora.alpha": 4}
    run = store.create(resolve("demo", {}, [f"{key}={value}" for key, value in pairs.items()]).settings)
    run.log.append(RunStarted(job="train", name="anna", steps=5000))
    assert interrupted_run(store) == "anna"
    studio = app(AUTO_RESUME="1")
    studio.wait_for(200)
    while steps_of(run) < 3 and time.monotonic() - studio.began < ENOUGH:
        time.sleep(0.1)
    assert studio.process.poll() is None and steps_of(run) >= 3, studio.log.read_text()
    streams = [studio.stream() for _ in range(20)]
    code, seconds = studio.ends()
    assert code == 0 and seconds < 4 and len(streams) == 20, (code, seconds, studio.log.read_text())
    assert run.log.ended().by == "shutdown" and run.newest_whole_checkpoint()[0][0] == steps_of(run) >= 3
    assert interrupted_run(store) == "anna" and not (store.root / ".studio-owner.json").exists()


def steps_of(run):
    return max((event.step for event in run.log.read()[0] if event.kind == "step"), default=0)


def test_a_second_studio_says_who_holds_the_folder_and_opens_when_it_is_free(app, tmp_path):
    first = app()
    first.wait_for(200)
    second = app()
    assert json.loads(second.wait_for(503)) == {"ok": False}
    deadline = time.monotonic() + 20
    while "Another studio" not in second.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    holder = f"process {first.process.pid} on "
    assert holder in second.log.read_text() and holder in second.ask("/", authorization=f"Bearer {TOKEN}")[1]
    assert second.ask("/config")[0] == 503 and first.ask("/config")[0] == 200
    first.ends()
    second.wait_for(200)
    assert second.ends()[0] == 0


def test_a_taken_port_and_a_weak_token_are_refused_in_words(app):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        studio = app("--port", str(taken.getsockname()[1]))
        assert studio.process.wait(60) == 2 and "Choose another port" in studio.log.read_text()
    studio = app("--public", APP_TOKEN="password")
    assert studio.process.wait(60) == 2 and "too easy to guess" in studio.log.read_text() and "Traceback" not in studio.log.read_text()


def test_another_pods_claim_holds_while_it_beats_and_ends_with_its_silence(tmp_path):
    now, ours = [1000.0], [0.0]
    theirs = Claim(tmp_path, "pod-a", now=lambda: now[0])
    assert theirs.take() is None
    theirs._lock.release()  # the file lock of another machine is not seen here
    mine = Claim(tmp_path, "pod-b", now=lambda: now[0], monotonic=lambda: ours[0])
    for _ in range(5):
        assert "on pod-a" in mine.take()
        ours[0] += 30
        now[0] += 30
        assert theirs.beat() is None
    assert "on pod-a" in mine.take()
    ours[0] += 61
    assert mine.take() is None and "on pod-b" in theirs.beat()
    theirs.release()
    assert mine.beat() is None and mine.file.exists()


def test_a_restarted_pod_a_claim_of_last_week_and_a_damaged_one_are_taken_over_at_once(tmp_path):
    old = Claim(tmp_path, "pod-a", now=lambda: 1000.0)
    assert old.take() is None
    old._lock.release()
    assert Claim(tmp_path, "pod-a", now=lambda: 1001.0).take() is None
    for text in ("", "{", '{"machine": 1}'):
        folder = tmp_path / f"damaged-{len(text)}"
        folder.mkdir()
        (folder / ".studio-owner.json").write_text(text)
        assert Claim(folder, "pod-b").take() is None
    week = tmp_path / "week"
    gone = Claim(week, "pod-a", now=lambda: 1000.0)
    assert gone.take() is None
    gone._lock.release()
    assert Claim(week, "pod-b", now=lambda: 1000.0 + 7 * 86400).take() is None


def test_the_heartbeat_says_who_took_over_and_outlives_a_disk_that_refuses(tmp_path, monkeypatch, capsys):
    claim = Claim(tmp_path, "pod-a")
    assert claim.take() is None
    heartbeat = Heartbeat(claim, seconds=0.01)
    beats = []

    def refuse(*_):
        beats.append(1)
        raise OSError(122, "Disk quota exceeded")

    with monkeypatch.context() as patch:
        patch.setattr("core.ownership.os.utime", refuse)
        heartbeat.start()
        while len(beats) < 3:
            time.sleep(0.01)
    claim.file.write_text(json.dumps({"machine": "pod-b", "process": 1}))
    deadline = time.monotonic() + 10
    while heartbeat.lost is None and time.monotonic() < deadline:
        time.sleep(0.01)
    heartbeat.stop()
    assert heartbeat.lost == "process 1 on pod-b" and "quota" in capsys.readouterr().out


@pytest.mark.parametrize("header", [b"X-Forwarded-Proto: https", b"", b"X-Forwarded-Proto: http", b"X-Forwarded-Proto: gopher", b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: pod-7860.proxy.example.net"])
def test_behind_a_proxy_that_ends_tls_the_login_and_the_page_work_whatever_it_says(running, tmp_path, header):
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with CutProxy(running.port, tls=self_signed(tmp_path), header=header) as proxy:

        def ask(method, path, body=None, **headers):
            connection = http.client.HTTPSConnection("127.0.0.1", proxy.port, timeout=20, context=trusting)
            connection.request(method, path, body, {"host": HOST, "origin": f"https://{HOST}", "sec-fetch-site": "same-origin"} | headers)
            response = connection.getresponse()
            answer = response.status, response.getheader("set-cookie"), response.getheader("location"), response.read().decode()
            connection.close()
            return answer

        assert ask("GET", "/")[0::2][0] == 303
        status, cookie, location, _ = ask("POST", "/login", f"token={TOKEN}", **{"content-type": "application/x-www-form-urlencoded"})
        assert (status, location) == (303, "./") and cookie.startswith("__Host-studio=") and "Secure" in cookie
        page = ask("GET", "/", cookie=cookie.split(";")[0])
        assert page[0] == 200 and "gradio" in page[3]


def test_a_client_that_says_nothing_loses_its_connection(running, monkeypatch):
    monkeypatch.setattr("ui.server.patience.SECONDS_FOR_A_REQUEST", 0.3)
    silent = [socket.create_connection(("127.0.0.1", running.port), timeout=10) for _ in range(50)]
    silent[0].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
    assert all(connection.recv(10) == b"" for connection in silent)
    assert running.ask("GET", "/healthz").status == 200


ASKED = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
# What is sent first, and what goes on coming.
DRIPS = {
    "headers of a second request": (ASKED + b"\r\nGET / HTTP/1.1\r\n", b"X: y\r\n"),
    "a body nobody waits for": (b"POST /config HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n", b"x"),
    "pieces of such a body": (b"POST /config HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "a body of an open path": (ASKED + b"Content-Length: 999999999\r\n\r\n", b"x"),
}


@pytest.mark.parametrize(("first", "more"), DRIPS.values(), ids=DRIPS)
def test_a_client_that_was_answered_and_goes_on_dripping_loses_its_connection(running, monkeypatch, first, more):
    """uvicorn stops its clock for idle connections with each byte."""
    monkeypatch.setattr("ui.server.patience.SECONDS_FOR_A_REQUEST", 0.5)
    with socket.create_connection(("127.0.0.1", running.port), timeout=0.1) as connection:
        connection.sendall(first)
        heard, ends = b"", time.monotonic() + 10
        while time.monotonic() < ends:
            with contextlib.suppress(TimeoutError):
                if not (part := connection.recv(4096)):
                    break
                heard += part
            connection.sendall(more)
    assert heard.startswith(b"HTTP/1.1 ") and time.monotonic() < ends


def test_an_answer_that_takes_long_is_not_cut(running, monkeypatch):
    monkeypatch.setattr("ui.server.patience.SECONDS_FOR_A_REQUEST", 0.3)
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    connection.request("GET", "/healthz", headers={"host": HOST})
    assert connection.getresponse().read()
    connection.request("GET", "/gradio_api/heartbeat/patience", headers={"host": HOST} | running.cookie)
    assert connection.getresponse().status == 200
    time.sleep(1)
    connection.sock.settimeout(0.1)
    with pytest.raises(TimeoutError):  # nothing more comes; an end would be read as one
        while connection.sock.recv(4096):
            pass
    connection.close()
