import subprocess
import sys

import pytest

from core.durable import publish_folder
from core.errors import Refused, UserError
from core.events import CheckpointSaved, Phase, RunFinished, StepDone
from core.runs import RunStore, training_words
from core.settings import parse_settings

HOLD = "import sys, time; from pathlib import Path; from core.runs import RunStore\nwith RunStore(Path(sys.argv[1])).exclusive(\"training 'elsewhere'\"):\n    print('held', flush=True); time.sleep(60)"


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "output")


def new_run(store, name="anna"):
    store.root.mkdir(exist_ok=True)
    return store.create(parse_settings({"run.name": name}))


def step(number):
    return StepDone(step=number, loss=1.0, learning_rate=1e-4, grad_norm=1.0, seconds=0.1, memory_gib=1.0)


def test_a_run_comes_back_as_it_was_written(store):
    run = new_run(store)
    assert store.load("anna") == run and store.names() == ["anna"]


def test_a_taken_name_is_refused_and_the_old_run_untouched(store):
    run = new_run(store)
    before = (run.folder / "run.json").read_bytes()
    with pytest.raises(Refused, match="already"):
        new_run(store)
    assert (run.folder / "run.json").read_bytes() == before
    assert store.free_name("anna") == "anna-2"


@pytest.mark.parametrize("name", ["../anna", "anna/../anna", "nobody", "", "samples"])
def test_only_listed_names_are_loaded(store, name):
    new_run(store)
    with pytest.raises(UserError):
        store.load(name)


def test_a_damaged_record_is_named(store):
    run = new_run(store)
    (run.folder / "run.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        store.load("anna")


def test_events_come_back_in_order_and_only_new_ones(store):
    log = new_run(store).log
    log.append(Phase(what="Starting"))
    events, offset = log.read()
    log.append(step(1))
    assert [event.kind for event in events] == ["phase"] and [event.kind for event in log.read(offset)[0]] == ["step"]


def test_a_resume_drops_the_steps_that_are_done_again(store):
    log = new_run(store).log
    for event in (step(1), step(2), CheckpointSaved(step=2, file="x"), step(3)):
        log.append(event)
    with open(log.file, "ab") as file:
        file.write(b'{"torn')
    log.cut_after(2)
    log.append(RunFinished(seconds=1.0))
    assert [getattr(event, "step", None) for event in log.read()[0]] == [1, 2, 2, None]
    assert log.ended().kind == "finished"


def test_the_newest_whole_checkpoint_is_found_behind_a_damaged_one(store):
    run = new_run(store)
    for number in (10, 20):
        publish_folder(run.checkpoints_folder / f"step-{number:06d}", lambda folder: (folder / "lora").write_bytes(b"abc"))
    (run.checkpoints_folder / "step-000020" / "lora").write_bytes(b"abd")
    newest, passed_over = run.newest_whole_checkpoint()
    assert newest[0] == 10 and "step-000020" in passed_over[0]


def test_one_job_at_a_time_names_the_holder(store):
    with store.exclusive(training_words("anna")):
        assert "anna" in store.holder()
        with pytest.raises(Refused, match="anna"), store.exclusive("training 'berta'"):
            pass
    assert store.holder() is None


def test_another_process_is_refused_and_a_killed_one_lets_go(store):
    store.root.mkdir()
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(store.root)], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    try:
        with pytest.raises(Refused, match="elsewhere"), store.exclusive("training 'here'"):
            pass
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    with store.exclusive("training 'here'"):
        assert "here" in store.holder()


def test_an_old_wish_to_stop_does_not_stop_a_new_job(store):
    store.root.mkdir()
    store.stop_request().make()
    with store.exclusive("training 'anna'"):
        assert not store.stop_request().is_made()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "output").write_text("a file in the way")
    with pytest.raises(UserError), RunStore(tmp_path / "output").exclusive("training 'anna'"):
        pass


def test_a_request_is_granted_once_and_a_new_job_begins_without_any(store):
    store.root.mkdir()
    store.save_request().make()
    wishes = store.wishes()
    assert wishes.save() and not wishes.save() and not wishes.sample()
    store.save_request().make()
    store.sample_request().make()
    store.stop_request().make()
    with store.exclusive("training 'anna'"):
        assert not wishes.save() and not wishes.sample() and not store.stop_request().is_made()


def test_the_preset_of_a_run_is_written_down_and_old_runs_have_none(store):
    store.root.mkdir()
    store.create(parse_settings({"run.name": "anna"}), "fast")
    assert store.load("anna").preset == "fast"
    assert new_run(store, "berta").preset == ""
