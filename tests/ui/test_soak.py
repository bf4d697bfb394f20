"""A long day in fast-forward on the real server: what it holds after an hour it holds after all of them (the figures of eight are in docs/experiments.md)."""

import pytest

from benchmarks.soak import HOUR, TICKS_PER_CALL, held, one_moment, tick_of
from core.events import RunStarted
from core.settings import parse_settings

pytestmark = pytest.mark.slow


def test_an_hour_in_fast_forward_leaves_no_thread_and_no_file_behind(running):
    tick = tick_of(running)
    run = running.studio.store.create(parse_settings({"run.name": "soak", "run.output": str(running.output), "train.steps": HOUR}))
    run.log.append(RunStarted(job="train", name="soak", steps=HOUR))
    with running.studio.store.exclusive("training 'soak'"):
        for second in range(0, 600, TICKS_PER_CALL):
            one_moment(running, run, tick, second)
        before = held()
        for second in range(600, HOUR, TICKS_PER_CALL):
            one_moment(running, run, tick, second)
    after = held()
    assert after["threads"] <= before["threads"] + 4 and after["open_files"] <= before["open_files"] + 10 and after["rss_mib"] <= before["rss_mib"] + 100, (before, after)
