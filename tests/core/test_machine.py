"""What the machine is: a pod or a desktop, with GPUs or without, and what follows for a start."""

import json
import os
import shutil

import pytest

from core.errors import Refused
from core.jobs import Worker
from core.machine import Machine, count_gpus, pod_of, this_machine
from core.runs import RunStore
from core.tasks import check_device, start_training

POCKET = "presets/pocket-flux"
EMPTY_POD = Machine("abc123def456", 0)


def driver(folder, text, code=0):
    """A stand-in for nvidia-smi, first on the path."""
    command = folder / "nvidia-smi"
    command.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit {code}\n")
    command.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("text", "code", "gpus"),
    [("GPU 0: NVIDIA GeForce RTX 4090 (UUID: GPU-1)\nGPU 1: NVIDIA GeForce RTX 4090 (UUID: GPU-2)", 0, 2), ("No devices were found", 6, 0), ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", 9, 0), ("", 0, 0)],
)
def test_gpus_are_what_the_driver_lists(tmp_path, monkeypatch, text, code, gpus):
    monkeypatch.setenv("PATH", driver(tmp_path, text, code))
    assert count_gpus() == gpus and this_machine({"RUNPOD_POD_ID": "abc123def456"}).is_pod_without_gpu is (gpus == 0)


def test_a_machine_without_a_driver_or_with_one_that_hangs_has_no_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr("core.machine.shutil.which", lambda name: None)
    assert count_gpus() == 0
    monkeypatch.undo()
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("core.machine.SECONDS_TO_ASK", 0.2)
    assert count_gpus() == 0


@pytest.mark.parametrize(("value", "pod"), [("abc123def456", "abc123def456"), ("", None), ("../../x", None), ("a b", None), ("$(id)", None), ("ABC123", None), ("x" * 200, None)])
def test_only_what_looks_like_a_pods_id_is_one(value, pod):
    assert pod_of({"RUNPOD_POD_ID": value}) == pod


def large_model(folder):
    """The pocket FLUX's files whose transformer says it is as wide as FLUX.1-dev."""
    shutil.copytree(POCKET, folder)
    file = folder / "transformer" / "config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"num_attention_heads": 24, "attention_head_dim": 128}))
    return folder


def test_a_pod_without_gpu_refuses_a_large_model_in_words_and_rehearses_with_the_pocket(tmp_path):
    large = str(large_model(tmp_path / "large"))
    with pytest.raises(Refused) as refused:
        check_device(EMPTY_POD, large)
    assert "no GPU" in refused.value.what and "pocket FLUX" in refused.value.fix and "downloaded" in refused.value.fix
    check_device(EMPTY_POD, POCKET)
    for machine in (Machine(None, 0), Machine("abc123def456", 1)):
        check_device(machine, large)
    assert "look, download, and rehearse" in EMPTY_POD.note and Machine("abc123def456", 1).note is None and Machine().note is None


def test_start_is_refused_there_and_nothing_was_written(tmp_path, short_run):
    settings = short_run(model__path=str(large_model(tmp_path / "large")))
    store = RunStore(tmp_path / "output")
    with pytest.raises(Refused, match="no GPU"):
        start_training(Worker(EMPTY_POD), settings, store)
    assert store.names() == [] and store.holder() is None
