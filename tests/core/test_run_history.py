import pytest

from core.errors import Refused, UserError
from core.events import FixedNoiseLoss, RunFailed, RunFinished, RunStarted, RunStopped, StepDone
from core.run_history import account_of, differences, note_of, preset_of, preset_settings, write_note
from core.runs import RunStore
from core.settings import parse_settings


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "output")


def run_with(store, *events, **settings):
    run = store.create(parse_settings({"run.name": "anna", **{key.replace("__", "."): value for key, value in settings.items()}}))
    for event in events:
        run.log.append(event)
    return run


def step(number):
    return StepDone(step=number, loss=0.5, learning_rate=1e-4, grad_norm=1.0, seconds=0.5, memory_gib=1.0)


def test_a_run_is_told_in_figures(store):
    run = run_with(store, RunStarted(job="train", name="anna", steps=10, time=1000.0), step(1), FixedNoiseLoss(step=1, loss=0.3, held_out=0.2), RunStopped(step=1, seconds=30.0),
                   RunStarted(job="train", name="anna", first_step=1, steps=10, time=2000.0), step(10), FixedNoiseLoss(step=10, loss=0.1, held_out=0.15), RunFinished(seconds=60.0))  # fmt: skip
    account = account_of(run)
    assert (account.started, account.ended, account.step, account.steps, account.seconds, account.fixed_loss, account.held_out) == (1000.0, "finished", 10, 10, 90.0, 0.1, 0.15)


@pytest.mark.parametrize(("last", "ended"), [([RunFailed(what="x")], "failed"), ([RunStopped(step=1, seconds=1.0)], "stopped"), ([RunStopped(step=1, seconds=1.0, by="shutdown")], ""), ([], "")])
def test_how_it_ended_is_what_the_log_says(store, last, ended):
    assert account_of(run_with(store, RunStarted(job="train", name="anna", steps=10), step(1), *last)).ended == ended


def test_a_run_without_a_log_and_a_torn_one_are_told_too(store):
    run = run_with(store)
    assert account_of(run).step == 0
    run.log.file.write_bytes(b'{"kind":"step","step":3}\n\xff\xfe[]\n"text"\n{"kind":"st')
    assert account_of(run).step == 3


def test_differences_are_named_by_their_titles_in_words():
    found = differences(parse_settings({"lora.rank": 64, "text_encoder.two_phase": True, "run.name": "a"}), parse_settings({"run.name": "b"}))
    assert [(d.key, d.title, d.mine, d.theirs) for d in found] == [("lora.rank", "Rank", "64", "32"), ("text_encoder.two_phase", "Two-phase text encoder", "on", "off")]


def test_a_run_of_old_is_compared_with_the_nearest_preset(store):
    final = preset_settings("final")
    settings = final.model_copy(update={"run": final.run.model_copy(update={"name": "anna"}), "lora": final.lora.model_copy(update={"rank": 48})})
    assert preset_of(store.create(settings)) == "final" and preset_of(store.load("anna")) == "final"
    assert [d.key for d in differences(preset_settings("fast"), preset_settings("fast"))] == []


def test_a_note_is_kept_as_text_and_a_long_one_refused(store):
    run = run_with(store)
    write_note("anna", "  best so far\x00 <b>&</b>\nzweite Zeile ‮ ", store)
    assert note_of(run) == "best so far <b>&</b>\nzweite Zeile ‮"
    with pytest.raises(Refused, match="2001"):
        write_note("anna", "x" * 2001, store)
    with pytest.raises(UserError):
        write_note("../anna", "x", store)
