"""The optional stop of the pod: off by default, counted down, called off at any moment, never under a job or a download; the provider is a stand-in."""

import http.server
import os
import threading
import time

import pytest

from core.errors import Refused, UserError
from core.machine import Machine
from core.pod_stop import PodStop, StopState, ask_provider, call_command, stopper

POD = "abc123def456"
KEY = "rpa_ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


class World:
    """A clock that tests turn, something that runs or does not, and how often the pod was stopped."""

    def __init__(self, fails=None):
        self.now, self.why, self.stops, self.fails = 0.0, None, 0, fails
        self.stop = PodStop(self._stop, lambda: self.why, clock=lambda: self.now, tick=0.005)

    def _stop(self):
        self.stops += 1
        if self.fails:
            raise self.fails

    def until(self, kind):
        deadline = time.monotonic() + 10
        while self.stop.state().kind != kind and time.monotonic() < deadline:
            time.sleep(0.002)
        assert self.stop.state().kind == kind, self.stop.state()

    def settle(self):
        time.sleep(0.05)


def test_nothing_happens_until_somebody_asks():
    world = World()
    world.now = 10**6
    world.settle()
    assert world.stop.state() == StopState("off") and world.stops == 0 and not world.stop.cancel()


def test_the_countdown_runs_down_and_stops_the_pod_once():
    world = World()
    world.stop.begin(300)
    world.now = 120.0
    world.until("counting")
    world.settle()
    assert 0 < world.stop.state().seconds_left <= 180 and world.stops == 0
    world.stop.begin(1)  # a second tab: nothing changes
    world.settle()
    assert world.stops == 0
    world.now = 301.0
    world.until("stopping")
    world.settle()
    assert world.stops == 1 and not world.stop.cancel()


def test_it_can_be_called_off_and_asked_for_again():
    world = World()
    world.stop.begin(300)
    world.now = 299.0
    assert world.stop.cancel() and world.stop.state().kind == "off"
    world.now = 1000.0
    world.settle()
    assert world.stops == 0
    world.stop.begin(10)
    world.now = 1011.0
    world.until("stopping")
    assert world.stops == 1


def test_a_job_or_a_download_holds_it_back_and_starts_the_countdown_anew():
    world = World()
    world.why = "A download is running."
    world.stop.begin(60)
    world.now = 500.0
    world.until("waiting")
    assert world.stop.state().why == "A download is running." and world.stops == 0
    world.why = None
    world.until("counting")
    world.settle()
    assert world.stop.state().seconds_left > 50
    world.now = 550.0
    world.why = "A job is running."
    world.until("waiting")
    world.now = 10_000.0
    world.settle()
    assert world.stops == 0
    world.why = None
    world.until("counting")
    world.now = 10_061.0
    world.until("stopping")


def test_a_provider_that_refuses_is_said_and_can_be_tried_again():
    world = World(UserError("The provider refused to stop the pod (status 401).", POD, "Stop it in the console."))
    world.stop.begin(1)
    world.now = 2.0
    world.until("failed")
    assert "401" in world.stop.state().why and "console" in world.stop.state().why
    world.stop.begin(1)
    world.now = 4.0
    world.settle()
    assert world.stops == 2


def test_only_a_pod_that_can_be_stopped_gets_the_offer(monkeypatch):
    monkeypatch.setattr("core.pod_stop.shutil.which", lambda name: None)
    for machine, key, words in ((Machine(), KEY, "no rented pod"), (Machine(POD, 1, network_volume=True), KEY, "only terminated"), (Machine(POD, 1), "", "neither")):
        with pytest.raises(Refused, match=words):
            stopper(machine, key)
    assert callable(stopper(Machine(POD, 1), KEY))
    monkeypatch.setattr("core.pod_stop.shutil.which", lambda name: "/usr/bin/runpodctl")
    assert callable(stopper(Machine(POD, 1), ""))


@pytest.fixture
def provider():
    """A stand-in for the provider's interface; `asked` is what arrived, `status` what it answers."""
    asked, status = [], [200]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append((self.command, self.path, self.headers["authorization"]))
            self.send_response(status[0])
            self.send_header("location", f"http://127.0.0.1:{self.server.server_address[1]}/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1", asked, status
    server.shutdown()
    server.server_close()


def test_the_provider_is_asked_with_the_key_in_the_header_only(provider):
    address, asked, _ = provider
    ask_provider(POD, KEY, address)
    assert asked == [("POST", f"/v1/pods/{POD}/stop", f"Bearer {KEY}")]


@pytest.mark.parametrize("code", [401, 404, 500, 302, 307])
def test_a_refusal_or_a_redirect_is_an_error_that_holds_no_key(provider, code):
    address, asked, status = provider
    status[0] = code
    with pytest.raises(UserError) as raised:
        ask_provider(POD, KEY, address)
    assert str(code) in raised.value.what and KEY not in str(raised.value) and len(asked) == 1


def test_a_provider_that_is_away_is_said():
    with pytest.raises(UserError, match="could not be reached"):
        ask_provider(POD, KEY, "http://127.0.0.1:9/v1")


@pytest.mark.skipif(os.name == "nt", reason="the command is a script")
def test_the_command_gets_a_list_of_arguments(tmp_path):
    command = tmp_path / "runpodctl"
    command.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > {tmp_path}/said\nexit $(cat {tmp_path}/code)\n')
    command.chmod(0o755)
    (tmp_path / "code").write_text("0")
    call_command(str(command), POD)
    assert (tmp_path / "said").read_text() == f"stop|pod|{POD}|"
    (tmp_path / "code").write_text("3")
    with pytest.raises(UserError, match="code 3"):
        call_command(str(command), POD)
    with pytest.raises(UserError, match="could not be run"):
        call_command(str(tmp_path / "missing"), POD)
