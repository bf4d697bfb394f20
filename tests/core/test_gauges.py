import threading
import time
from pathlib import Path

import psutil
import pytest

import core.gauges as gauges_module
from core.gauges import MIB, Gauges, Gpu, parse_gpus, read_machine


def test_the_machine_is_read_as_the_system_says(tmp_path):
    reading = read_machine(tmp_path / "not" / "there" / "yet")
    assert reading.ram_total == psutil.virtual_memory().total and 0 < reading.ram_used < reading.ram_total
    assert 0 < reading.disk_free <= reading.disk_total


@pytest.mark.parametrize(
    ("answer", "gpus"),
    [
        ("NVIDIA GeForce RTX 4090, 97, 21832, 24564, 61\n", (Gpu("NVIDIA GeForce RTX 4090", 97, 21832 * MIB, 24564 * MIB, 61),)),
        ("Card, with comma, [N/A], 1, 2, [N/A]\nB, 0, 0, 4, 30", (Gpu("Card, with comma", None, MIB, 2 * MIB, None), Gpu("B", 0, 0, 4 * MIB, 30))),
        ("", ()),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", ()),
    ],
)
def test_what_the_driver_answers_is_read_with_its_gaps(answer, gpus):
    assert parse_gpus(answer) == gpus


def test_without_a_driver_or_with_one_that_hangs_there_are_no_gpus(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gauges_module.read_gpus() == ()
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nexit 9\n")
    tool.chmod(0o755)
    assert gauges_module.read_gpus() == ()


def test_whoever_asks_never_waits_and_the_machine_is_read_seldom():
    release, calls = threading.Event(), []

    def slow(output):
        calls.append(output)
        release.wait(10)
        return "reading"

    gauges = Gauges(Path("output"), slow)
    began = time.monotonic()
    assert gauges.latest() is None and gauges.latest() is None
    assert time.monotonic() - began < 1
    release.set()
    while gauges.latest() is None:
        time.sleep(0.01)
    for _ in range(50):
        gauges.latest()
    assert len(calls) == 1
