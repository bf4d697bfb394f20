"""The symptoms only pictures show: copies, waxy skin, one-sided heads, likeness that hangs on the prompt. Each is read from a measure, never guessed."""

from __future__ import annotations

from core.doctor.diagnosis import Seen, Treatment
from core.doctor.evidence import Evidence
from core.evaluation.values import Measure
from core.signs import best_round, copying, overtrained

EVALUATE = "Evaluate the LoRA (Evaluation tab, or python scripts/evaluate.py RUN)."
# The guide reduces the steps without a number; where the log does not name the best step, this share is taken.
FEWER_STEPS = 0.7
GUIDE_DROPOUT, GUIDE_NOISE_OFFSET = 0.1, 0.05


def see_copies(evidence: Evidence) -> Seen:
    """By the evaluation's copies and leak, else by the nearest photo of the last samples."""
    by_measures = [evidence.measure(name) for name in ("carbon copy", "nearer to trained photos than to held-out ones", "leak into the class", "leak into a second person")]
    bad = [measure for measure in by_measures if measure.verdict == "bad"]
    last, sign = evidence.published_round, copying(evidence.events)
    memorising = overtrained(evidence.events)
    support = (memorising.sentence,) if memorising else ()
    if bad or sign:
        return Seen("found", (*(_sentence(measure) for measure in bad), *((sign.sentence,) if sign else ()), *support))
    if by_measures[0].value is not None:
        return Seen("not found", tuple(_sentence(measure) for measure in by_measures if measure.value is not None) + support)
    if last and last.nearest is not None and last.copy_line is not None:
        return Seen("not found", (f"The sample of step {last.step} that is nearest to a photo ({last.nearest_photo}) has similarity {last.nearest:.3f}; a copy's is above {last.copy_line:.3f}.", *support))
    reason = "These photos are so alike that a copy cannot be told by the face. " if last and last.copy_line is None else ""
    return Seen("not measured", support, reason + EVALUATE)


def treat_copies(evidence: Evidence) -> Treatment:
    """Fewer steps and dropout against copies; regularization where the class is concerned, which takes its steps."""
    settings, best = evidence.settings, best_round(evidence.events)
    if any(evidence.measure(name).verdict == "bad" for name in ("leak into the class", "leak into a second person")) and not settings.regularization.enabled:
        return Treatment("Regularization keeps the class apart from the person. It needs its steps: their number stays.", {"regularization.enabled": True, "lora.dropout": max(settings.lora.dropout, GUIDE_DROPOUT)})
    steps = best.step if best and overtrained(evidence.events) else round(settings.train.steps * FEWER_STEPS)
    return Treatment("Fewer steps, dropout, and an early stop that watches for it.", {"train.steps": steps, "lora.dropout": max(settings.lora.dropout, GUIDE_DROPOUT), "train.stop_early": settings.dataset.hold_out})


def see_waxy_skin(evidence: Evidence) -> Seen:
    return _by_measure(evidence, "skin detail")


def treat_waxy_skin(evidence: Evidence) -> Treatment:
    offset = evidence.settings.train.noise_offset
    if offset <= GUIDE_NOISE_OFFSET:
        return Treatment(f"The noise offset is {offset:g} already, so it is not the cause: soft photos and too many steps are the next to look at.", {})
    return Treatment("A lower noise offset.", {"train.noise_offset": GUIDE_NOISE_OFFSET})


def see_angle_failure(evidence: Evidence) -> Seen:
    return _by_measure(evidence, "head angles")


def treat_angle_failure(evidence: Evidence) -> Treatment:
    return Treatment("No setting helps: add photos from the angles that are missing (front, three-quarter from both sides, profile), then train anew.", {})


def see_brittleness(evidence: Evidence) -> Seen:
    return _by_measure(evidence, "brittleness", "prompt adherence")


def treat_brittleness(evidence: Evidence) -> Treatment:
    encoder = evidence.settings.text_encoder
    if encoder.enabled and not encoder.two_phase:
        return Treatment("Freeze the text encoder early: train it for the first half of the steps only.", {"text_encoder.enabled": False, "text_encoder.two_phase": True})
    if encoder.two_phase:
        return Treatment("Freeze the text encoder altogether.", {"text_encoder.enabled": False, "text_encoder.two_phase": False})
    return Treatment("The text encoder was frozen, so it is not the cause: captions that are all alike and photos of one place bind the person to them.", {})


def _by_measure(evidence: Evidence, *names: str) -> Seen:
    """Found where one is bad, not found where the first was measured."""
    measures = [evidence.measure(name) for name in names]
    said = tuple(_sentence(measure) for measure in measures if measure.value is not None)
    if any(measure.verdict == "bad" for measure in measures):
        return Seen("found", said)
    if measures[0].value is not None:
        return Seen("not found", said)
    return Seen("not measured", (), f"It was evaluated, but {measures[0].reason}." if measures[0].reason else EVALUATE)


def _sentence(measure: Measure) -> str:
    words = {"good": "good", "watch": "near the line", "bad": "bad"}
    return f"{measure.detail} ({words[measure.verdict]})." if measure.verdict in words else measure.detail
