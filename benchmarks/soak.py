"""Eight hours in fast-forward: `python benchmarks/soak.py [HOURS]` prints memory, threads and open files of the server after every simulated hour.

What is simulated: a training of one step every two seconds that writes its steps, losses and pictures into the run's log as the trainer does; a browser tab that stays, and one that comes and goes every five minutes. A
tab does what a real one does: it loads the page, holds its heartbeat stream, asks every handler of the page's load, and the page's clocks again and again; when it goes, the stream is cut. An upload is
announced every ten minutes. What is not: the trainer's own arithmetic, and that much time passing for the operating system.
"""

from __future__ import annotations

import gc
import http.client
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.events import FixedNoiseLoss, ImageSaved, RunStarted, StepDone
from core.settings import parse_settings
from tests.ui.running import HOST, RunningStudio, clocks_of, start_studio

SECONDS_PER_STEP = 2
SECONDS_PER_TAB = 300
SECONDS_PER_CALL = 60  # the tab that comes and goes asks once a minute, the one that stays after every step: between two steps a tick finds nothing new
HOUR = 3600


class Tab:
    """One page load as the server sees it. `values` are what the page's components hold at first, which the script sends back."""

    def __init__(self, running: RunningStudio, name: str) -> None:
        self.name = name
        self._running = running
        assert running.ask_as_owner("GET", "/").status == 200
        config = running.config()
        self._values: dict[int, Any] = {component["id"]: component["props"].get("value") for component in config["components"]}
        self._clocks = clocks_of(config)
        self._heartbeat = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
        self._heartbeat.request("GET", f"/gradio_api/heartbeat/{name}", headers={"host": HOST} | running.cookie)
        assert self._heartbeat.getresponse().status == 200
        for handler in config["dependencies"]:
            if any(target[1] == "load" for target in handler["targets"]) and handler not in self._clocks:
                ended = running.call(handler["id"], self._sent(handler), handler["targets"][0][0], session=name)
                assert ended.get("success"), ended
                self._take(handler, ended["output"]["data"])
        self.tick()

    def tick(self) -> None:
        """Every clock of the page, once; what a state component held is known to the server."""
        for clock in self._clocks:
            body = {"fn_index": clock["id"], "data": self._sent(clock), "session_hash": self.name}
            answer = self._running.post_json("/gradio_api/run/predict", body)
            assert answer.status == 200, answer.text
            self._take(clock, answer.json()["data"])

    def leave(self) -> None:
        self._heartbeat.close()

    def _sent(self, handler: dict) -> list[Any]:
        return [self._values.get(component) for component in handler["inputs"]]

    def _take(self, handler: dict, answers: list[Any]) -> None:
        """What the answer put into components, the page sends with the next question."""
        for component, answer in zip(handler["outputs"], answers, strict=True):
            is_update = isinstance(answer, dict) and answer.get("__type__") == "update"
            if not is_update or "value" in answer:
                self._values[component] = answer["value"] if is_update else answer


def main() -> None:
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else 8.0
    os.chdir(Path(__file__).resolve().parent.parent)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRADIO_TEMP_DIR"] = str(Path(folder) / "gradio")
        running = start_studio(Path(folder))
        day = Day(running, steps=int(hours * HOUR / SECONDS_PER_STEP))
        with running.studio.store.exclusive("training 'soak'"):
            for hour in range(int(hours)):
                began = time.monotonic()
                day.go_on(HOUR)
                print(json.dumps({"hour": hour + 1, **held(), **day.figures(), "took_s": round(time.monotonic() - began, 1)}), flush=True)
    os._exit(0)


class Day:
    """A run that is written and the tabs that look at it."""

    def __init__(self, running: RunningStudio, steps: int) -> None:
        self.running = running
        self.run = running.studio.store.create(parse_settings({"run.name": "soak", "run.output": str(running.output), "train.steps": steps}))
        self.run.log.append(RunStarted(job="train", name="soak", steps=steps))
        self.second = 0
        self._stays = Tab(running, "stays")
        self._comes = Tab(running, "comes0")

    def go_on(self, seconds: int) -> None:
        for _ in range(seconds // SECONDS_PER_CALL):
            for step in range(self.second // SECONDS_PER_STEP, (self.second + SECONDS_PER_CALL) // SECONDS_PER_STEP):
                self._write(step)
                self._stays.tick()
            self._comes.tick()
            self.second += SECONDS_PER_CALL
            if self.second % SECONDS_PER_TAB == 0:
                self._comes.leave()
                self._comes = Tab(self.running, f"comes{self.second}")
            if self.second % 600 == 0:
                self.running.post_json("/uploads", {"folder": str(self.running.dataset), "name": "a.png", "size": 10, "modified": 1})

    def leave(self) -> None:
        self._stays.leave()
        self._comes.leave()

    def figures(self) -> dict[str, float]:
        began = time.perf_counter()
        self._stays.tick()
        return {"log_mib": round(self.run.log.file.stat().st_size / 2**20, 2), "clocks_ms": round(1000 * (time.perf_counter() - began), 1)}

    def _write(self, step: int) -> None:
        log = self.run.log
        log.append(StepDone(step=step + 1, loss=0.4, learning_rate=1e-4, grad_norm=0.1, seconds=2.0, memory_gib=20.0))
        if step % 50 == 0:
            log.append(FixedNoiseLoss(step=step + 1, loss=0.4, held_out=0.41))
        if step % 250 == 0:
            log.append(ImageSaved(step=step + 1, prompt="a person", strength=1.0, seed=1, file=f"samples/anna/step-{step:06d}-0.webp"))


def held() -> dict[str, int]:
    """What this process holds of the machine, garbage collected first."""
    gc.collect()
    process = psutil.Process()
    return {"rss_mib": round(process.memory_info().rss / 2**20), "threads": process.num_threads(), "open_files": process.num_fds() if hasattr(process, "num_fds") else process.num_handles()}


if __name__ == "__main__":
    main()
