"""PodStop: stops the rented pod when its work is done, after a countdown that can be called off. Off until somebody asks for it."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from core.errors import Refused, UserError
from core.machine import POD_ID, Machine

ADDRESS = "https://rest.runpod.io/v1"
SECONDS_TO_ANSWER = 30
COUNTDOWN = 300.0
BY_HAND = "Stop it in the provider's console; until then it costs money."


@dataclass(frozen=True)
class StopState:
    """off: nobody asked. waiting: `why` something still runs. counting: `seconds_left`. stopping: asked for. failed: `why`."""

    kind: Literal["off", "waiting", "counting", "stopping", "failed"] = "off"
    seconds_left: float = 0.0
    why: str = ""


class PodStop:
    """`stop` does it (raises UserError when it cannot); `busy` says in words what must not be cut: a job, a download. None: nothing."""

    def __init__(self, stop: Callable[[], None], busy: Callable[[], str | None], clock: Callable[[], float] = time.monotonic, tick: float = 0.5) -> None:
        self._stop = stop
        self._busy = busy
        self._clock = clock
        self._tick = tick
        self._changing = threading.Lock()
        self._state = StopState()
        self._called_off = threading.Event()

    def state(self) -> StopState:
        return self._state

    def begin(self, seconds: float = COUNTDOWN) -> None:
        """Wait until nothing runs, then count `seconds` down, then stop the pod. Asked again while it is under way: nothing changes."""
        with self._changing:
            if self._state.kind in ("waiting", "counting", "stopping"):
                return
            self._called_off = threading.Event()
            self._state = StopState("counting", seconds)
            threading.Thread(target=self._count, args=(seconds, self._called_off), name="pod-stop", daemon=True).start()

    def cancel(self) -> bool:
        """False when it was too late or nothing was under way."""
        with self._changing:
            if self._state.kind not in ("waiting", "counting", "failed"):
                return False
            self._called_off.set()
            self._state = StopState()
            return True

    def _count(self, seconds: float, called_off: threading.Event) -> None:
        ends = self._clock() + seconds
        while True:
            why = self._busy()
            left = ends - self._clock()
            with self._changing:
                if called_off.is_set():
                    return
                if why is None and left <= 0:
                    self._state = StopState("stopping")
                    break
                self._state = StopState("waiting", seconds, why) if why else StopState("counting", left)
            if why:
                ends = self._clock() + seconds  # whoever fetches a file gets the whole time again
            called_off.wait(self._tick)
        try:
            self._stop()
        except UserError as error:
            self._state = StopState("failed", why=f"{error.what} {error.fix}")


def stopper(machine: Machine, api_key: str) -> Callable[[], None]:
    """How this pod is stopped: by the provider's interface when its key is set, else by its command. Raises Refused where that cannot be done."""
    pod = machine.pod
    if pod is None or not POD_ID.fullmatch(pod):
        raise Refused("This machine is no rented pod.", "", "There is nothing to stop.")
    if machine.network_volume:
        raise Refused("A pod with a network volume cannot be stopped, only terminated.", pod, "Terminate it in the provider's console when you are done; what is on the volume stays.")
    if api_key:
        return lambda: ask_provider(pod, api_key)
    command = shutil.which("runpodctl")
    if command is None:
        raise Refused("This pod has neither the variable RUNPOD_API_KEY nor the command runpodctl.", pod, BY_HAND)
    return lambda: call_command(command, pod)


def ask_provider(pod: str, api_key: str, address: str = ADDRESS) -> None:
    """Raises UserError with the status, never with the key or what was answered."""
    request = urllib.request.Request(f"{address}/pods/{pod}/stop", method="POST", headers={"authorization": f"Bearer {api_key}"})
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=SECONDS_TO_ANSWER):
            return
    except urllib.error.HTTPError as error:
        raise UserError(f"The provider refused to stop the pod (status {error.code}).", pod, BY_HAND) from None
    except OSError as error:
        raise UserError(f"The provider could not be reached to stop the pod ({type(error).__name__}).", pod, BY_HAND) from None


def call_command(command: str, pod: str) -> None:
    """Raises UserError when the command fails."""
    try:
        answer = subprocess.run([command, "stop", "pod", pod], capture_output=True, timeout=SECONDS_TO_ANSWER, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"runpodctl could not be run ({type(error).__name__}).", pod, BY_HAND) from None
    if answer.returncode != 0:
        raise UserError(f"runpodctl ended with code {answer.returncode}.", pod, BY_HAND)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key goes to the provider's address and nowhere else."""

    def redirect_request(self, *_: object) -> None:
        return None
