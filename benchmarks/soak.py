"""Eight hours in fast-forward: `python benchmarks/soak.py [HOURS]` prints memory, threads and open files of the server after every simulated hour.

What is simulated: a training of one step every two seconds that writes its steps, losses and pictures into the run's log as the trainer does, one browser tab that asks the page's tick once a simulated second through the
real server and gate, a page load and an upload announcement every ten minutes, a tab that comes and goes every five. What is not: the trainer's own arithmetic, and that much time passing for the operating system.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.events import FixedNoiseLoss, ImageSaved, RunStarted, StepDone
from core.runs import Run
from core.settings import parse_settings
from tests.ui.running import RunningStudio, start_studio

SECONDS_PER_STEP = 2
TICKS_PER_CALL = 12  # each call of the tick stands for so many: what it does for an unchanged log is measured by the rest
HOUR = 3600


def main() -> None:
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else 8.0
    os.chdir(Path(__file__).resolve().parent.parent)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GRADIO_TEMP_DIR"] = str(Path(folder) / "gradio")
        running = start_studio(Path(folder))
        tick = tick_of(running)
        run = running.studio.store.create(parse_settings({"run.name": "soak", "run.output": str(running.output), "train.steps": int(hours * HOUR / SECONDS_PER_STEP)}))
        run.log.append(RunStarted(job="train", name="soak", steps=run.settings.train.steps))
        with running.studio.store.exclusive("training 'soak'"):
            _show(0, 0, running, tick, 0.0)
            for hour in range(int(hours)):
                began = time.monotonic()
                for second in range(hour * HOUR, (hour + 1) * HOUR, TICKS_PER_CALL):
                    one_moment(running, run, tick, second)
                _show(hour + 1, run.log.file.stat().st_size, running, tick, time.monotonic() - began)
    os._exit(0)


def tick_of(running: RunningStudio) -> dict:
    """The handler an open tab asks each second."""
    return next(handler for handler in running.config()["dependencies"] if handler["targets"] and handler["targets"][0][1] == "tick" and handler["queue"] is False)


def one_moment(running: RunningStudio, run: Run, tick: dict, second: int) -> None:
    for step in range(second // SECONDS_PER_STEP, (second + TICKS_PER_CALL) // SECONDS_PER_STEP):
        run.log.append(StepDone(step=step + 1, loss=0.4, learning_rate=1e-4, grad_norm=0.1, seconds=2.0, memory_gib=20.0))
        if step % 50 == 0:
            run.log.append(FixedNoiseLoss(step=step + 1, loss=0.4, held_out=0.41))
        if step % 250 == 0:
            run.log.append(ImageSaved(step=step + 1, prompt="a person", strength=1.0, seed=1, file=f"samples/anna/step-{step:06d}-0.webp"))
    _tick(running, tick, f"tab{second // 300}")
    if second % 600 == 0:
        assert running.ask_as_owner("GET", "/").status == 200
        running.post_json("/uploads", {"folder": str(running.dataset), "name": "a.png", "size": 10, "modified": 1})


def _tick(running: RunningStudio, tick: dict, session: str) -> None:
    """A new session every five minutes, as tabs come and go."""
    answer = running.post_json("/gradio_api/run/predict", {"fn_index": tick["id"], "data": [None] * len(tick["inputs"]), "session_hash": session, "trigger_id": tick["targets"][0][0]})
    assert answer.status == 200, answer.text


def _show(hour: int, log_bytes: int, running: RunningStudio, tick: dict, seconds: float) -> None:
    answer = time.perf_counter()
    _tick(running, tick, "measured")
    milliseconds = 1000 * (time.perf_counter() - answer)
    record = {"hour": hour, **held(), "log_mib": round(log_bytes / 2**20, 2), "tick_ms": round(milliseconds, 1), "took_s": round(seconds, 1)}
    print(json.dumps(record), flush=True)


def held() -> dict[str, int]:
    """What this process holds of the machine."""
    process = psutil.Process()
    return {"rss_mib": round(process.memory_info().rss / 2**20), "threads": process.num_threads(), "open_files": process.num_fds() if hasattr(process, "num_fds") else process.num_handles()}


if __name__ == "__main__":
    main()
