"""Faults of the list in docs/RUNPOD.md that cross several modules: a disk that refuses anywhere, photos that change under a run, a clock that jumps, a signal in the middle of a save."""

import os
import subprocess
import sys
import threading

import gradio as gr
import pytest
import torch
from PIL import Image

import core.training.train as train_module
from core.dataset.captions import read_caption, write_caption
from core.durable import NO_SPACE
from core.events import CheckpointSaved, Phase, RunStarted, RunStopped, StepDone
from core.jobs import Worker, drain
from core.runs import RunStore
from core.training.cache import Cache
from core.training.train import train
from tests.conftest import ROOT
from tests.core.training import go, never, of_kind, run_of
from ui.dataset_tab import DatasetTab
from ui.photo_editor import Edited
from ui.run_view import fold
from ui.server.serve import ask_to_save
from ui.settings_form import SettingsForm
from ui.studio import Studio

ONE, TWO = "a.png", "b.png"


def full(*_):
    raise OSError(next(iter(NO_SPACE)), "full", "cache")


def test_a_shutdown_in_the_middle_of_a_save_leaves_that_checkpoint_whole(short_run, monkeypatch):
    run = run_of(short_run(train__steps=9))
    wish, real = RunStore(run.output).stop_request(), train_module.save_checkpoint

    def asked_meanwhile(state, *more):
        wish.make("shutdown")
        return real(state, *more)

    monkeypatch.setattr(train_module, "save_checkpoint", asked_meanwhile)
    events = go(run, wish.is_made)
    saved = [event.step for event in of_kind(events, CheckpointSaved)]
    assert saved[0] == 2 and isinstance(events[-1], RunStopped) and run.newest_whole_checkpoint()[0][0] == saved[-1]


def test_a_shutdown_while_the_model_loads_ends_the_run_before_its_first_step(short_run):
    run = run_of(short_run())
    wish = RunStore(run.output).stop_request()

    def listen(event):
        if isinstance(event, Phase) and event.what.startswith("Loading"):
            wish.make("shutdown")

    last = drain(lambda: train(run, wish.is_made, False), run.log, listen)
    assert isinstance(last, RunStopped) and last.step == 0 and not of_kind(run.log.read()[0], StepDone)


def test_a_second_signal_changes_nothing_that_the_first_has_asked_for(tmp_path):
    studio = Studio(RunStore(tmp_path / "output"), {})
    (tmp_path / "output").mkdir()
    begun, ends = threading.Event(), threading.Event()

    def job():
        begun.set()
        ends.wait(20)
        yield RunStopped(step=3, seconds=1.0)

    run = studio.store.create(studio.resolved("demo").settings.model_copy(update={"run": studio.resolved("demo").settings.run.model_copy(update={"name": "anna"})}))
    studio.trainer.start(studio.store.exclusive("training 'anna'"), lambda: (job, run.log))
    assert begun.wait(10)
    for _ in range(2):
        ask_to_save(studio)
        assert studio.store.stop_request().made_by() == "shutdown"
    ends.set()
    assert studio.trainer.wait(10) and run.log.ended().step == 3


def test_a_cache_that_cannot_be_written_is_a_full_disk_in_words_and_the_run_can_be_resumed(short_run, monkeypatch):
    run = run_of(short_run(train__steps=2))
    with monkeypatch.context() as patch:
        patch.setattr("core.training.cache.write_atomic", full)
        patch.setattr(Cache, "get", lambda *_: None)
        last = drain(lambda: train(run, never, False), run.log)
    assert last.kind == "failed" and "no space left" in last.what and "then resume" in last.fix
    assert go(run, resume=True)[-1].kind == "finished"


def test_a_caption_that_finds_no_room_is_said_with_what_was_typed_and_the_old_one_stays(tmp_path, monkeypatch):
    (tmp_path / "output").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / ONE)
    write_caption(tmp_path / "a.txt", "ohwx man, old")
    studio, said = Studio(RunStore(tmp_path / "output"), {"DATA_DIR": str(tmp_path)}), []
    monkeypatch.setattr(gr, "Warning", lambda text, **_: said.append(text))
    with gr.Blocks() as page:
        tab = DatasetTab(studio, SettingsForm(studio, studio.resolved("demo")), page)
    monkeypatch.setattr("core.dataset.history.write_json", full)
    typed = Edited(name="a", text="ohwx man, old", typed=True).model_dump_json()
    assert not tab.keep_typed(str(tmp_path), typed, "ohwx man, in the rain")
    assert "ohwx man, in the rain" in said[0] and "no space left" in said[0] and read_caption(tmp_path / "a.txt").text == "ohwx man, old"


def test_a_volume_that_cannot_be_written_at_all_is_refused_in_words(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    started = subprocess.run([sys.executable, "app.py", "--port", "0", "--public"], cwd=ROOT, env=os.environ | {"OUT_DIR": str(tmp_path / "file" / "output")}, capture_output=True, text=True, timeout=60)
    assert started.returncode == 2 and "Refused" in started.stderr and "Traceback" not in started.stderr


def test_out_of_memory_while_loading_fails_the_run_and_the_next_one_trains(short_run, monkeypatch):
    """In the same process, with the worker and the lock of the first."""
    worker, runs = Worker(), [run_of(short_run()), run_of(short_run(run__name="next"))]
    store = RunStore(runs[0].output)

    def too_large(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    with monkeypatch.context() as patch:
        patch.setattr("core.training.prepare.load_vae", too_large)
        patch.setattr(Cache, "get", lambda *_: None)
        worker.start(store.exclusive("training 'short'"), lambda: (lambda: train(runs[0], never, False), runs[0].log))
        assert worker.wait(60) and runs[0].log.ended().kind == "failed"
    assert "memory" in runs[0].log.ended().what.lower()
    worker.start(store.exclusive("training 'next'"), lambda: (lambda: train(runs[1], never, False), runs[1].log))
    assert worker.wait(60) and runs[1].log.ended().kind == "finished"


@pytest.fixture
def own_photos(photos, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    for file in photos.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_photos_deleted_and_replaced_under_a_run_do_not_disturb_it_and_are_named_at_the_next(short_run, own_photos):
    run, images = run_of(short_run(dataset__folder=own_photos)), sorted(own_photos.glob("*.png")) or sorted(own_photos.glob("*.jpg"))

    def listen(event):
        if isinstance(event, StepDone) and event.step == 1:
            images[0].unlink()
            images[1].write_bytes(b"no picture at all")

    assert drain(lambda: train(run, never, False), run.log, listen).kind == "finished"
    again = run_of(short_run(run__name="again", dataset__folder=own_photos))
    last = drain(lambda: train(again, never, False), again.log)
    assert last.kind == "failed" and images[1].name in last.where and last.fix


def test_a_clock_that_jumps_back_raises_no_alarm_and_hides_no_step():
    now = 1_800_000_000.0
    steps = [StepDone(step=number, loss=0.4, learning_rate=1e-4, grad_norm=0.1, seconds=2.0, memory_gib=1.0).model_copy(update={"time": now + 2 * number}) for number in range(1, 20)]
    late = [step.model_copy(update={"time": step.time - 3600, "step": step.step + 19}) for step in steps]
    view = fold([RunStarted(job="train", name="a", steps=100), Phase(what="Training"), *steps, *late])
    assert view.step == 38 and view.seconds_per_step == 2.0 and view.seconds_left == 124.0
    assert view.silent_for(now - 3600 + 40) is None and view.silent_for(now - 7200) is None
    assert view.silent_for(now - 3600 + 400) is not None, "a silence after the jump is noticed still"


def test_a_fault_nobody_foresaw_is_one_refused_tick_and_the_next_one_draws(running, monkeypatch, capfd):
    ticks = running.ticks("fault")
    assert len(ticks) >= 2

    def ask():
        return [running.post_json("/gradio_api/run/predict", tick) for tick in ticks]

    def broken(*_):
        raise RuntimeError("a fault nobody foresaw, in /somewhere/private")

    with monkeypatch.context() as patch:
        patch.setattr("core.runs.RunStore.names", broken)
        answers = ask()
        assert sum(answer.status >= 400 or "error" in answer.json() for answer in answers) >= 2 and not any("private" in answer.text or "Traceback" in answer.text for answer in answers)
        assert running.ask_as_owner("GET", "/healthz").status == 200
    assert [answer.status for answer in ask()] == [200] * len(ticks)
    capfd.readouterr()  # Gradio prints the traceback of what nobody foresaw


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_two_presses_of_stop_are_one_wish_and_the_next_run_begins_without_it(tmp_path):
    store = RunStore(tmp_path / "output")
    store.root.mkdir()
    with store.exclusive("training 'anna'"):
        store.stop_request().make()
        store.stop_request().make()
        assert store.stop_request().is_made()
    with store.exclusive("training 'berta'"):
        assert not store.stop_request().is_made()


def test_one_tab_writes_a_caption_while_another_has_deleted_the_photo(tmp_path, monkeypatch):
    (tmp_path / "output").mkdir()
    for name in (ONE, TWO):
        Image.new("RGB", (64, 64)).save(tmp_path / name)
    studio, said = Studio(RunStore(tmp_path / "output"), {"DATA_DIR": str(tmp_path)}), []
    monkeypatch.setattr(gr, "Warning", lambda text, **_: said.append(text))
    with gr.Blocks() as page:
        tab = DatasetTab(studio, SettingsForm(studio, studio.resolved("demo")), page)
    (tmp_path / ONE).unlink()
    assert not tab.keep_typed(str(tmp_path), Edited(name="a", text="", typed=True).model_dump_json(), "typed in the first tab")
    assert "typed in the first tab" in said[0] and not (tmp_path / "a.txt").exists()
