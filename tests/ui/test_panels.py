"""Queue, past runs, gauges, log, samples and preset table as HTML: from what lies on disk, hostile texts as text."""

import re
import time

import pytest

from app import runs_waiting
from core.events import ImageSaved, Phase, RunFailed, RunFinished, RunStarted, StepDone, Warned
from core.gauges import Gpu, Reading
from core.pod_stop import PodStop
from core.run_history import write_note
from core.runs import RunStore, training_words
from core.settings import parse_settings
from ui.gauges_row import gauges_html
from ui.history_panel import comparison_html, history_html, history_key
from ui.pod_stop_panel import pod_stop_html
from ui.preset_table import preset_table
from ui.queue_panel import queue_html
from ui.run_log import log_html
from ui.run_view import fold
from ui.samples_view import samples_by_step
from ui.studio import Studio

EVIL = '"><img src=x onerror=alert(1)>'
GIB = 2**30


@pytest.fixture
def studio(tmp_path):
    (tmp_path / "output").mkdir()
    return Studio(RunStore(tmp_path / "output"), {})


def run_with(studio, name, *events, preset="fast", **settings):
    run = studio.store.create(parse_settings({"run.name": name, **{key.replace("__", "."): value for key, value in settings.items()}}), preset)
    for event in events:
        run.log.append(event)
    return run


def test_waiting_runs_stand_in_order_with_their_buttons(studio):
    assert "Nothing waits" in queue_html(studio.queue)
    for name in ("anna", "berta"):
        studio.queue.add(parse_settings({"run.name": name, "dataset.folder": EVIL}), "fast")
    html = queue_html(studio.queue)
    assert html.index("anna") < html.index("berta") and html.count("data-do=") == 6 and html.count(" disabled") == 2 and "<img" not in html
    studio.queue.hold(EVIL)
    studio.queue.note_failure(EVIL)
    html = queue_html(studio.queue)
    assert "Go on with the rest?" in html and "queue-go-on" in html and "Not started" in html and "<img" not in html


def test_a_damaged_queue_is_said_in_its_place(studio):
    studio.queue.file.write_text("{")
    assert "cannot be read" in queue_html(studio.queue)


def test_past_runs_show_result_differences_note_and_files(studio):
    run = run_with(studio, "anna", RunStarted(job="train", name="anna", steps=10), StepDone(step=10, loss=0.5, learning_rate=1e-4, grad_norm=1.0, seconds=0.5, memory_gib=1.0), RunFinished(seconds=75.0), preset="fast", lora__rank=8)
    run.lora_file.write_bytes(b"x")
    write_note("anna", f"best so far {EVIL}", studio.store)
    run_with(studio, "berta", RunStarted(job="train", name="berta", steps=10))
    html = history_html(studio)
    for words in ("Finished", "Interrupted", "10 of 10", "1 min 15 s", "Rank: <b>8</b> instead of 32", "best so far", "lora/anna.safetensors", "runs/anna/log.txt", "runs/anna/everything.zip?checkpoints=true&amp;photos=true"):
        assert words in html, words
    assert html.count('data-do="resume"') == 1 and "<img" not in html


def test_a_run_that_is_trained_can_be_neither_deleted_nor_resumed(studio):
    run_with(studio, "anna", RunStarted(job="train", name="anna", steps=10))
    with studio.store.exclusive(training_words("anna")):
        html = history_html(studio)
    assert 'data-do="delete"' not in html and 'data-do="resume"' not in html and "Training" in html


def test_deleted_runs_can_be_brought_back_and_damaged_ones_take_nothing_down(studio):
    run_with(studio, "anna")
    (run_with(studio, "berta").folder / "run.json").write_text("{")
    before = history_key(studio)
    deleted = studio.trash.delete("anna")
    html = history_html(studio)
    assert "Deleted runs (1)" in html and deleted.identity in html and "cannot be read" in html and history_key(studio) != before


def test_two_runs_and_a_preset_are_compared(studio):
    run_with(studio, "anna", lora__rank=8)
    run_with(studio, "berta")
    assert "<td>8</td><td>32</td>" in comparison_html("anna", "berta", studio)
    assert "No setting differs" in comparison_html("anna", "anna", studio)
    assert "Dropout" in comparison_html("anna", "preset: final", studio)
    assert comparison_html(None, "berta", studio) == ""
    for name in ("../anna", "preset: ../../x"):
        with pytest.raises(Exception, match=r"no run|no preset"):
            comparison_html("anna", name, studio)


def test_gauges_say_what_is_there_and_what_is_tight():
    gpu = Gpu(f"RTX {EVIL}", 97, 21 * GIB, 24 * GIB, 61)
    html = gauges_html(Reading((gpu,), 10.0, 8 * GIB, 32 * GIB, 2 * GIB, 100 * GIB))
    assert "<img" not in html and "97 %" in html and "<b>21.0</b> of 24 GiB" in html and "(tight)" in html
    assert "No GPU" in gauges_html(Reading((), 1.0, GIB, 2 * GIB, 50 * GIB, 100 * GIB))
    assert "VRAM" not in gauges_html(Reading((Gpu("X", None, None, None, None),), 1.0, GIB, 2 * GIB, 50 * GIB, 100 * GIB))


def test_log_lines_have_their_level():
    html = log_html(fold([Phase(what=EVIL), Warned(what="careful"), RunFailed(what="broken")]))
    assert html.count('data-level="note"') == 1 and 'class="warning" data-level="warning"' in html and 'class="error" data-level="error"' in html and "<img" not in html


def test_samples_have_the_base_first_then_the_newest():
    images = [ImageSaved(step=step, prompt=EVIL, strength=1.0, seed=1, file=f"samples/a/{step}.webp") for step in (0, 10, 20)]
    html = samples_by_step(images)
    assert [html.index(words) for words in ("base model", "step 20", "step 10")] == sorted(html.index(words) for words in ("base model", "step 20", "step 10"))
    assert "<img src=x" not in html and html.count("data-full=") == 3 and "Samples appear here" in samples_by_step(())


def test_the_presets_differ_as_their_files_say():
    html = preset_table("final")
    for cells in ("<td>1500</td><td class=\"chosen\">2500</td><td>400</td>", "<td>512</td><td class=\"chosen\">768</td><td>128</td>", "<td>32</td><td class=\"chosen\">64</td><td>16</td>"):
        assert cells in html, cells


def test_the_stop_of_the_pod_is_off_until_asked_for_and_can_be_called_off():
    stopped, busy = [], ["A job <b> runs."]
    pod_stop = PodStop(lambda: stopped.append(1), lambda: busy[0] if busy else None, tick=0.01)
    assert pod_stop_html(None) == "" and "data-do=\"pod-stop\"" in pod_stop_html(pod_stop)
    pod_stop.begin(60)
    wait_until(lambda: pod_stop.state().kind == "waiting")
    assert "A job &lt;b&gt; runs." in pod_stop_html(pod_stop) and "pod-stay" in pod_stop_html(pod_stop)
    busy.clear()
    wait_until(lambda: pod_stop.state().kind == "counting")
    assert re.search(r'role="timer"[^>]*>(1 min 00|5\d) s?', pod_stop_html(pod_stop))
    assert pod_stop.cancel() and "data-do=\"pod-stop\"" in pod_stop_html(pod_stop) and stopped == []


def test_waiting_runs_keep_the_pod_running_and_a_held_queue_does_not(studio):
    assert runs_waiting(studio.store) is None
    studio.queue.add(parse_settings({"run.name": "anna"}), "fast")
    assert runs_waiting(studio.store) == "Runs are waiting."
    studio.queue.hold("You stopped what was running.")
    assert runs_waiting(studio.store) is None
    studio.queue.file.write_text("{")
    assert "cannot be read" in runs_waiting(studio.store)


def wait_until(is_so):
    ends = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.01)
