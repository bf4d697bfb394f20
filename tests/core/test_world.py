"""Several processes, one run: the same result as one process, shared out evenly, files written by the first alone."""

import os
import subprocess
import sys

import pytest
import torch

from core.errors import Refused
from core.training.world import World
from tests.conftest import ROOT
from tests.core.training import go, losses_of, run_of, weights_of


def test_a_step_is_shared_out_evenly_and_completely():
    shares = [World(rank, 4).share_of(8, "GRAD_ACCUM") for rank in range(4)]
    assert sorted(number for share in shares for number in share) == list(range(8)) and {len(share) for share in shares} == {2}


def test_what_cannot_be_shared_is_refused_with_the_fix():
    with pytest.raises(Refused, match="multiple of 3") as raised:
        World(0, 3).share_of(4, "GRAD_ACCUM")
    assert "GRAD_ACCUM is 4" in raised.value.what


@pytest.mark.slow
def test_two_processes_train_what_one_trains(short_run, photos, tmp_path):
    changes = {"train__batch_size": 1, "train__gradient_accumulation_steps": 4, "text_encoder__two_phase": 1, "regularization__enabled": 1}
    alone = run_of(short_run(run__name="alone", **changes))
    go(alone)
    settings = short_run(run__name="together", **changes)
    pairs = [f"{key}={value}" for key, value in _flat(settings).items()]
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "scripts/train.py", "--preset", "demo"]
    for pair in pairs:
        command += ["--set", pair]
    threads = str(torch.get_num_threads())  # as many as the process alone: sums are rounded differently with others
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, env=os.environ | {"OMP_NUM_THREADS": threads})
    assert result.returncode == 0, result.stderr[-2000:]
    together = type(alone)("together", alone.output / "together", settings)
    assert losses_of(together) == pytest.approx(losses_of(alone), rel=1e-4)
    one, two = weights_of(alone), weights_of(together)
    assert one.keys() == two.keys() and all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)
    assert [event.step for event in together.log.read()[0] if event.kind == "step"] == [1, 2, 3, 4]


def _flat(settings):
    from core.presets import resolve
    from core.settings import flatten

    defaults, given = flatten(resolve("demo", {}, []).settings), flatten(settings)
    return {key: "|".join(value) if isinstance(value, tuple) else int(value) if isinstance(value, bool) else value for key, value in given.items() if value != defaults[key]}
