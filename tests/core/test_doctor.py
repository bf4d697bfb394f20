"""The doctor: every symptom is found by its evidence, not found by its absence, not measured without; the photos come first; no fix is a setting that does not exist."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import core.training.measure as measure_module
import core.training.step as step_module
import core.training.train as train_module
from core.analyzer.report import AnalysisReport, Finding
from core.doctor.diagnose import CANONICAL_RULE, SYMPTOMS, diagnose, render_text, summary
from core.doctor.diagnosis import changed
from core.doctor.evidence import Evidence
from core.errors import UserError
from core.evaluation.values import Measure
from core.events import RunFailed, RunStarted, RunStopped, StoppedEarly, Warned
from core.jobs import failure_of
from core.presets import resolve
from core.training import sturdy_step
from tests.core.logs import likeness, log_of, step
from tests.core.training import go, run_of


def measured(value, verdict, words):
    """As an evaluation has it; the evidence takes it by the name it is filed under."""
    return Measure(name="", value=value, verdict=verdict, **({"detail": words} if value is not None else {"reason": words}))


NAN, WEAK, COPY, WAXY, ANGLES, BRITTLE, MEMORY = (symptom.name for symptom in SYMPTOMS)
GOOD_RUN = log_of([0.5, 0.8, 0.9, 0.91])
ALL_GOOD = {name: measured(value, "good", f"{name} is fine") for name, value in (("likeness", 0.9), ("carbon copy", 0.0), ("head angles", 0.95), ("skin detail", 1.0), ("brittleness", 0.05), ("prompt adherence", 0.0), ("leak into the class", 0.1))}


def settings_of(preset="final", *pairs):
    return resolve(preset, {}, list(pairs)).settings


def report_of(*findings, photos=20):
    return AnalysisReport(folder="data/anna", photo_count=photos, trigger_word="ohwx", resolution=768, findings=findings, buckets=())


def finding(check, severity="warning"):
    return Finding(check=check, severity=severity, what=f"{check} was found.", fix=f"Mend {check}.")


def evidence_of(events=GOOD_RUN, settings=None, report=None, **measures):
    return Evidence(settings or settings_of("final", "train.steps=400"), events, report, {name.replace("_", " "): measured for name, measured in measures.items()})


def about(symptom, evidence):
    return next(diagnosis for diagnosis in diagnose(evidence) if diagnosis.symptom == symptom)


def new_values(diagnosis):
    return {change.key: change.new for change in diagnosis.changes}


def failed(what):
    return [RunStarted(job="train", name="anna", steps=400), step(1), RunFailed(what=what)]


def test_the_seven_symptoms_are_the_guides():
    guide = Path("docs/TRAINING_GUIDE.md").read_text(encoding="utf-8").split("## Troubleshooting")[1].split("## Canonical Rule")
    titles = [line[4:].lower() for line in guide[0].splitlines() if line.startswith("### ")]
    assert len(titles) == len(SYMPTOMS) == 7
    for title, symptom in zip(titles, SYMPTOMS, strict=True):
        assert title.split()[0].strip("s/") in symptom.name.lower(), (title, symptom.name)
    assert CANONICAL_RULE.split(",")[0] in guide[1] and "fix the dataset first" in guide[1]


def test_a_good_run_that_was_evaluated_has_no_symptom():
    diagnoses = diagnose(evidence_of(report=report_of(finding("blur"), finding("duplicate", "error")), **ALL_GOOD))
    assert {diagnosis.seen.state for diagnosis in diagnoses} == {"not found"} and summary(diagnoses) == "No symptom was found."
    assert all(diagnosis.seen.evidence and not diagnosis.photos and not diagnosis.changes for diagnosis in diagnoses)


def test_without_evidence_everything_is_not_measured_and_says_what_to_run():
    diagnoses = diagnose(evidence_of(events=[]))
    assert {diagnosis.seen.state for diagnosis in diagnoses} == {"not measured"} and all(diagnosis.seen.to_measure for diagnosis in diagnoses)
    assert "7 of 7 symptoms were not measured" in summary(diagnoses)


def test_what_only_an_evaluation_shows_is_not_guessed_from_a_log():
    states = {diagnosis.symptom: diagnosis.seen.state for diagnosis in diagnose(evidence_of())}
    assert states == {NAN: "not found", WEAK: "not found", COPY: "not found", WAXY: "not measured", ANGLES: "not measured", BRITTLE: "not measured", MEMORY: "not found"}


def test_found_symptoms_come_first_with_the_photos_before_the_settings():
    evidence = evidence_of(report=report_of(finding("blur"), finding("soft", "note"), finding("angles")), skin_detail=measured(0.5, "bad", "50% of the photos' fine detail"))
    first = diagnose(evidence)[0]
    assert first.symptom == WAXY and [found.check for found in first.photos] == ["blur"] and new_values(first) == {"train.noise_offset": 0.05}
    text = render_text(diagnose(evidence))
    assert text.index(CANONICAL_RULE) < text.index("blur was found") < text.index("train.noise_offset: 0.1 -> 0.05")


def test_photos_nobody_analyzed_are_to_be_analyzed_first():
    assert "Do that first" in about(WAXY, evidence_of(skin_detail=measured(0.5, "bad", "x"))).photos_note


# NaN


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_nan_is_found_and_halves_the_learning_rate(value):
    diagnosis = about(NAN, evidence_of(failed(f"The loss of step 2 is {value}: training has left the rails, and this step was not applied.")))
    assert diagnosis.seen.state == "found" and new_values(diagnosis) == {"optimizer.learning_rate": 5e-5}


@pytest.mark.parametrize("events", [GOOD_RUN, failed("The disk is full."), failed("The banana is information."), [*failed("The loss of step 2 is nan: training"), RunStarted(job="train", name="anna", steps=400), step(2)]])
def test_nan_is_not_found_in_runs_that_fail_otherwise_or_went_on(events):
    assert about(NAN, evidence_of(events)).seen.state == "not found"


def test_a_real_nan_of_the_trainer_is_recognised(short_run, monkeypatch):
    real = step_module.velocity_loss
    monkeypatch.setattr(step_module, "velocity_loss", lambda *given: real(*given) * math.nan)
    run = run_of(short_run(train__validate_every=0))
    with pytest.raises(UserError) as raised:
        go(run)
    run.log.append(failure_of(raised.value))
    diagnosis = about(NAN, Evidence(run.settings, run.log.read()[0]))
    assert diagnosis.seen.state == "found" and new_values(diagnosis) == {"optimizer.learning_rate": run.settings.optimizer.learning_rate / 2}


# weak identity


def test_weak_identity_that_still_climbs_takes_the_guides_steps_and_rank():
    diagnosis = about(WEAK, evidence_of(log_of([0.2, 0.35, 0.5, 0.6], steps=2500, every=625), settings_of()))
    assert diagnosis.seen.state == "found" and "0.60, weak" in diagnosis.seen.evidence[0] and any("still climbing" in sentence for sentence in diagnosis.seen.evidence)
    assert new_values(diagnosis) == {"lora.rank": 96, "lora.alpha": 96, "train.steps": 3500}


def test_weak_identity_that_levelled_keeps_the_steps_and_trains_the_text_encoder_from_15_photos_on():
    levelled = log_of([0.5, 0.6, 0.6, 0.6])
    assert new_values(about(WEAK, evidence_of(levelled, report=report_of()))) == {"lora.rank": 96, "lora.alpha": 96, "text_encoder.two_phase": True, "regularization.enabled": True}
    assert new_values(about(WEAK, evidence_of(levelled, report=report_of(photos=12)))) == {"lora.rank": 96, "lora.alpha": 96}


def test_the_evaluation_counts_more_than_the_samples():
    assert about(WEAK, evidence_of(log_of([0.5, 0.6]), likeness=measured(0.8, "good", "good; mean of 24"))).seen.state == "not found"
    assert about(WEAK, evidence_of(GOOD_RUN, likeness=measured(0.6, "watch", "weak"))).seen.state == "found"


def test_weak_identity_is_not_judged_in_the_middle_of_a_run_nor_after_a_fault():
    middle = log_of([0.2, 0.3], steps=1000, ended=False)
    assert "step 200 of 1000" in about(WEAK, evidence_of(middle, settings_of("final", "train.steps=1000"))).seen.to_measure
    assert about(WEAK, evidence_of([*middle, RunFailed(what="x")], settings_of("final", "train.steps=1000"))).seen.state == "not measured"
    again = [*middle, RunStopped(step=200, seconds=1.0), RunStarted(job="train", name="anna", first_step=200, steps=1000), step(201)]
    assert about(WEAK, evidence_of(again, settings_of("final", "train.steps=1000"))).seen.state == "not measured"


def test_a_run_that_was_stopped_short_is_to_be_resumed():
    stopped = [*log_of([0.2, 0.3], steps=1000, ended=False), RunStopped(step=200, seconds=1.0)]
    diagnosis = about(WEAK, evidence_of(stopped, settings_of("final", "train.steps=1000")))
    assert diagnosis.seen.state == "found" and "Resume" in diagnosis.advice and not diagnosis.changes


def test_a_run_that_ended_early_is_judged_by_the_step_it_published():
    early = [*log_of([0.5, 0.8, 0.6, 0.6], steps=1000, ended=False), StoppedEarly(step=400, best_step=200, reason="x", seconds_saved=1.0), *GOOD_RUN[-1:]]
    assert about(WEAK, evidence_of(early, settings_of("final", "train.steps=1000"))).seen.state == "not found"


# sameface, carbon copy


def test_copies_of_the_last_samples_are_found_and_take_fewer_steps():
    diagnosis = about(COPY, evidence_of(log_of([0.9, 0.95], nearest=0.97), settings_of("fast", "train.steps=200")))
    assert diagnosis.seen.state == "found" and new_values(diagnosis) == {"train.steps": 140, "lora.dropout": 0.1, "train.stop_early": True}


def test_where_the_log_names_the_best_step_that_is_taken():
    memorised = log_of([0.5, 0.8, 0.81, 0.8, 0.8], [0.2, 0.19, 0.22, 0.25, 0.26], nearest=0.97)
    diagnosis = about(COPY, evidence_of(memorised, settings_of("fast", "train.steps=500")))
    assert new_values(diagnosis)["train.steps"] == 200 and any("rather than the person" in sentence for sentence in diagnosis.seen.evidence)


def test_duplicates_come_before_dropout():
    diagnosis = about(COPY, evidence_of(report=report_of(finding("near duplicate"), finding("angles")), carbon_copy=measured(0.3, "bad", "7 of 24 pictures repeat a photo")))
    assert [found.check for found in diagnosis.photos] == ["near duplicate"] and diagnosis.changes


def test_a_leak_takes_regularization_and_keeps_the_steps():
    diagnosis = about(COPY, evidence_of(**{**ALL_GOOD, "leak into the class": measured(0.6, "bad", "pictures of the class alone are +0.60 more like the person")}))
    assert new_values(diagnosis) == {"regularization.enabled": True}


def test_memorising_alone_is_no_copy():
    diagnosis = about(COPY, evidence_of(log_of([0.5, 0.8, 0.81, 0.8, 0.8], [0.2, 0.19, 0.22, 0.25, 0.26])))
    assert diagnosis.seen.state == "not found" and "rather than the person" in diagnosis.seen.evidence[-1]


def test_where_the_face_cannot_tell_copies_only_an_evaluation_can():
    alike = log_of([0.9, 0.95], nearest=0.999, copy_line=None)
    assert about(COPY, evidence_of(alike)).seen.state == "not measured" and "cannot be told" in about(COPY, evidence_of(alike)).seen.to_measure
    assert about(COPY, evidence_of(alike, carbon_copy=measured(0.0, "good", "no picture repeats a photo"))).seen.state == "not found"


# waxy skin, angles, brittleness


@pytest.mark.parametrize(("symptom", "measure"), [(WAXY, "skin detail"), (ANGLES, "head angles"), (BRITTLE, "brittleness")])
def test_measures_of_an_evaluation_decide(symptom, measure):
    for verdict, state in (("bad", "found"), ("watch", "not found"), ("good", "not found")):
        seen = about(symptom, evidence_of(**{measure: measured(0.5, verdict, "a number")})).seen
        assert seen.state == state and "a number" in seen.evidence[0], verdict
    unknown = about(symptom, evidence_of(**{measure: measured(None, "not measured", "skin has no texture in drawings")})).seen
    assert unknown.state == "not measured" and "no texture" in unknown.to_measure


def test_waxy_skin_at_a_low_noise_offset_has_another_cause():
    diagnosis = about(WAXY, evidence_of(settings=settings_of("fast"), skin_detail=measured(0.5, "bad", "x")))
    assert not diagnosis.changes and "not the cause" in diagnosis.advice


def test_angle_failure_is_a_matter_of_photos_only():
    diagnosis = about(ANGLES, evidence_of(report=report_of(finding("angles"), finding("blur")), head_angles=measured(0.4, "bad", "profile views .3")))
    assert [found.check for found in diagnosis.photos] == ["angles"] and not diagnosis.changes and "add photos" in diagnosis.advice


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [(["text_encoder.enabled=1"], {"text_encoder.enabled": False, "text_encoder.two_phase": True}), (["text_encoder.two_phase=1"], {"text_encoder.two_phase": False}), ([], {})],
)
def test_brittleness_freezes_the_text_encoder_earlier_if_it_was_trained(pairs, expected):
    diagnosis = about(BRITTLE, evidence_of(settings=settings_of("final", *pairs), brittleness=measured(0.4, "bad", "x")))
    assert diagnosis.seen.state == "found" and new_values(diagnosis) == expected and ("not the cause" in diagnosis.advice) == (not pairs)


def test_prompts_that_are_not_followed_any_more_are_brittleness_too():
    evidence = evidence_of(**{**ALL_GOOD, "prompt adherence": measured(-0.06, "bad", "-0.060 against the base model")})
    assert about(BRITTLE, evidence).seen.state == "found"


# out of memory


def test_out_of_memory_takes_the_guides_order():
    broken = failed("The device ran out of memory.")
    assert new_values(about(MEMORY, evidence_of(broken, settings_of("final", "train.batch_size=4")))) == {"dataset.resolution": 512, "train.batch_size": 1}
    assert new_values(about(MEMORY, evidence_of(broken, settings_of("fast", "model.gradient_checkpointing=none")))) == {"model.gradient_checkpointing": "auto", "optimizer.kind": "adamw8bit"}


def test_real_memory_faults_of_the_trainer_are_recognised(short_run, monkeypatch):
    """In a step, where the next layout takes over; in the samples, which cost nothing; at the end of the ladder; and before the start."""
    def refuse(*given, **named):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(measure_module, "decode_latents", refuse)
    run = run_of(short_run(sampling__every=2))
    go(run)
    samples = about(MEMORY, Evidence(run.settings, run.log.read()[0]))
    assert samples.seen.state == "found" and new_values(samples) == {"sampling.width": 64, "sampling.height": 64}
    monkeypatch.setattr(sturdy_step, "train_step", refuse)
    run = run_of(short_run(run__name="all"))
    with pytest.raises(torch.OutOfMemoryError) as raised:
        go(run)
    run.log.append(failure_of(raised.value))
    assert about(MEMORY, Evidence(run.settings, run.log.read()[0])).seen.state == "found"
    assert any(event.what.startswith("The device ran out of memory at step") for event in run.log.read()[0] if isinstance(event, Warned))
    monkeypatch.setattr(train_module, "free_bytes", lambda hardware: 1000)
    run = run_of(short_run(run__name="none"))
    with pytest.raises(UserError) as refused:
        go(run)
    run.log.append(failure_of(refused.value))
    assert about(MEMORY, Evidence(run.settings, run.log.read()[0])).seen.state == "found"


# the fixes


@pytest.mark.parametrize("preset", ["fast", "final", "demo"])
def test_every_fix_is_a_setting_that_can_be_started(preset):
    bad = {name: measured(0.5, "bad", "x") for name in (*ALL_GOOD, "leak into the class")}
    runs = [log_of([0.2, 0.3, 0.4, 0.5]), log_of([0.5, 0.6, 0.6, 0.6], nearest=0.99), failed("The loss of step 2 is nan: x"), failed("The device ran out of memory.")]
    seen = 0
    for events in runs:
        for measures in (bad, {}):
            evidence = Evidence(settings_of(preset, "train.steps=400"), events, report_of(), measures)
            for diagnosis in diagnose(evidence):
                assert changed(evidence.settings, diagnosis.changes) is not None
                assert all(change.old != change.new and change.title for change in diagnosis.changes)
                seen += bool(diagnosis.changes)
    assert seen >= 10


def test_nothing_is_proposed_where_nothing_was_found():
    evidence = evidence_of(likeness=measured(0.9, "good", "excellent"))
    assert all(not diagnosis.changes and not diagnosis.advice for diagnosis in diagnose(evidence) if diagnosis.seen.state != "found")
    assert replace(evidence, events=[likeness(1, 0.1)]).steps_done == 0
