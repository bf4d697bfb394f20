"""A long day in fast-forward on the real server: what it holds after some tabs it holds after all of them (the figures of eight hours are in docs/experiments.md)."""

import pytest

from benchmarks.soak import SECONDS_PER_TAB, Day, Tab, held
from ui.log_reader import LogReader
from ui.server.build import MOST_MESSAGE_BOXES, MOST_TABS


def page_loads_kept(running) -> list[str]:
    """Sessions whose copy of the whole form Gradio holds."""
    return list(running.gradio.state_holder.session_data)


def test_a_page_load_is_forgotten_when_enough_others_came_and_the_tab_in_use_is_not(running):
    tick = running.ticks("")[0]
    stays = ["stays"] * (MOST_TABS + 3)
    for name in (name for pair in zip(stays, [f"came{number}" for number in range(MOST_TABS + 3)], strict=True) for name in pair):
        assert running.post_json("/gradio_api/run/predict", tick | {"session_hash": name}).status == 200
    kept = page_loads_kept(running)
    assert len(kept) == MOST_TABS and "stays" in kept and "came0" not in kept


def test_of_what_went_through_the_queue_little_is_kept(running):
    handler = next(handler for handler in running.config()["dependencies"] if handler["targets"][0][1] == "load" and handler["queue"] is not False and not handler["inputs"])
    for number in range(MOST_MESSAGE_BOXES + 5):
        assert running.call(handler["id"], [], handler["targets"][0][0], session=f"asked{number}")["success"]
    queue = running.gradio.get_blocks()._queue
    assert len(queue.pending_messages_per_session) == MOST_MESSAGE_BOXES and f"asked{MOST_MESSAGE_BOXES + 4}" in queue.pending_messages_per_session and len(queue.event_analytics) <= 1


@pytest.mark.slow
def test_hours_in_fast_forward_leave_no_memory_no_thread_and_no_file_behind(running):
    day = Day(running, steps=10_000)
    with running.studio.store.exclusive("training 'soak'"):
        day.go_on(MOST_TABS * SECONDS_PER_TAB // 4)
        for number in range(MOST_TABS):
            Tab(running, f"first{number}").leave()
        before = held()
        for number in range(2 * MOST_TABS):
            Tab(running, f"later{number}").leave()
        after = held()
    day.leave()
    # Kept for good, these page loads would take about 30 MiB.
    assert after["threads"] <= before["threads"] + 4 and after["open_files"] <= before["open_files"] + 10 and after["rss_mib"] <= before["rss_mib"] + 15, (before, after)
    assert len(running.studio.reader._read) <= LogReader.MOST_LOGS
