"""A run survives whatever ends its process: kill -9 at any moment, SIGTERM on a pod, and goes on exactly where it was."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from core.runs import RunStore
from core.tasks import interrupted_run
from tests.conftest import ROOT
from tests.core.training import losses_of, same, weights_of

SETTINGS = {
    "train.steps": 12, "train.batch_size": 2, "train.save_every": 3, "train.validate_every": 0, "lora.rank": 4, "lora.alpha": 4, "sampling.every": 0, "optimizer.warmup_steps": 1,
}  # fmt: skip


def start(photos, output, name, *more, **environment):
    command = [sys.executable, "scripts/train.py", "--preset", "demo", *more]
    for key, value in (SETTINGS | {"run.name": name, "run.output": output, "dataset.folder": photos}).items():
        command += ["--set", f"{key}={value}"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"} | environment)


def wait_for_step(store, name, step, process):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if name in store.names() and any(event.kind == "step" and event.step >= step for event in store.load(name).log.read()[0]):
            return
        time.sleep(0.02)
    pytest.fail(f"no step {step}: {process.communicate(timeout=5)}")


def finish(process):
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, out + err


@pytest.fixture
def whole(photos, tmp_path):
    finish(start(photos, tmp_path, "whole"))
    return RunStore(tmp_path).load("whole")


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_like_an_unbroken_one(photos, tmp_path, whole):
    store, moments = RunStore(tmp_path), random.Random(7)
    process = start(photos, tmp_path, "broken")
    for step in (2, 5, 8):
        wait_for_step(store, "broken", step, process)
        time.sleep(moments.uniform(0, 0.3))
        process.kill()
        process.wait()
        assert interrupted_run(store) == "broken"
        process = start(photos, tmp_path, "broken", "--resume", "broken")
    finish(process)
    broken = store.load("broken")
    assert losses_of(broken) == losses_of(whole) and same(weights_of(broken), weights_of(whole))


@pytest.mark.slow
def test_a_terminated_run_saves_within_five_seconds_and_resumes_by_itself(photos, tmp_path, whole):
    store = RunStore(tmp_path)
    process = start(photos, tmp_path, "terminated")
    wait_for_step(store, "terminated", 4, process)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert time.monotonic() - began < 5
    run = store.load("terminated")
    last_step = max(event.step for event in run.log.read()[0] if event.kind == "step")
    assert run.checkpoints()[0][0] == last_step and interrupted_run(store) == "terminated"
    finish(start(photos, tmp_path, "another", AUTO_RESUME="1"))
    assert losses_of(run) == losses_of(whole) and same(weights_of(run), weights_of(whole)) and "another" not in store.names()
