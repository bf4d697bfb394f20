"""The doctor: the guide's seven symptoms, each found, not found or not measured on this run; what the photos have to do with it comes before any setting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.analyzer.report import Finding
from core.doctor import picture_symptoms, run_symptoms
from core.doctor.diagnosis import Diagnosis, Seen, State, Treatment, changes_of, shown
from core.doctor.evidence import Evidence

CANONICAL_RULE = "If identity realism degrades, fix the dataset first, not the optimizer."
ORDER: tuple[State, ...] = ("found", "not measured", "not found")
COPIES = ("duplicate", "near duplicate", "same shot")
FACES = ("no face", "several people", "small face", "different person", "sideways")
TRIGGER = ("trigger", "ambiguous trigger", "caption")
BLUR = ("blur", "soft", "overexposed", "resolution")
SAME_CAPTIONS = ("identical captions", "similar captions", "permanent traits", "contradiction", "verbose caption")


@dataclass(frozen=True)
class Symptom:
    """A row of the guide's troubleshooting: name and cause in its words, and the analyzer's checks whose findings feed it."""

    name: str
    cause: str
    checks: tuple[str, ...]
    see: Callable[[Evidence], Seen]
    treat: Callable[[Evidence], Treatment]


SYMPTOMS = (
    Symptom("NaNs during training", "The learning rate is too high, or a number overflowed.", ("file",), run_symptoms.see_nan, run_symptoms.treat_nan),
    Symptom("Weak identity", "Undertraining, or photos that do not carry the person.", ("count", *TRIGGER, *FACES, *BLUR, "angles", "framing"), run_symptoms.see_weak_identity, run_symptoms.treat_weak_identity),
    Symptom("Sameface or carbon copy", "Overtraining, or photos that are the same.", (*COPIES, "count", "light variety", *SAME_CAPTIONS[:2]), picture_symptoms.see_copies, picture_symptoms.treat_copies),
    Symptom("Waxy or plastic skin", "Over-smoothing by a high noise offset, or soft photos.", BLUR, picture_symptoms.see_waxy_skin, picture_symptoms.treat_waxy_skin),
    Symptom("Angle failure", "The photos do not show the person from enough sides.", ("angles", "framing", "count", "buckets"), picture_symptoms.see_angle_failure, picture_symptoms.treat_angle_failure),
    Symptom("Prompt brittleness", "The text encoder is overfit, or the captions are all alike.", (*SAME_CAPTIONS, *TRIGGER, "light variety", "framing"), picture_symptoms.see_brittleness, picture_symptoms.treat_brittleness),
    Symptom("Out of memory", "The training is larger than the device's memory.", (), run_symptoms.see_out_of_memory, run_symptoms.treat_out_of_memory),
)


def diagnose(evidence: Evidence) -> list[Diagnosis]:
    """All seven, those that were found first, else in the guide's order."""
    return sorted((_diagnosed(symptom, evidence) for symptom in SYMPTOMS), key=lambda diagnosis: ORDER.index(diagnosis.seen.state))


def summary(diagnoses: list[Diagnosis]) -> str:
    """One sentence: what was found, and how much nobody measured."""
    found = [diagnosis.symptom.lower().replace("nans", "NaNs") for diagnosis in diagnoses if diagnosis.seen.state == "found"]
    unknown = sum(diagnosis.seen.state == "not measured" for diagnosis in diagnoses)
    rest = f" {unknown} of {len(diagnoses)} symptoms were not measured." if unknown else ""
    return (f"Found: {', '.join(found)}." if found else "No symptom was found.") + rest


def render_text(diagnoses: list[Diagnosis]) -> str:
    """For a terminal."""
    lines = [summary(diagnoses), CANONICAL_RULE if any(diagnosis.seen.state == "found" for diagnosis in diagnoses) else ""]
    for diagnosis in diagnoses:
        lines += ["", f"{diagnosis.symptom}: {diagnosis.seen.state.upper()}", *(f"  {sentence}" for sentence in diagnosis.seen.evidence)]
        lines += [f"  To measure it: {diagnosis.seen.to_measure}"] if diagnosis.seen.to_measure else []
        if diagnosis.seen.state == "found":
            lines += [f"  Cause: {diagnosis.cause}", f"  Photos first: {diagnosis.photos_note}", *(f"    {finding.severity}: {finding.what} {finding.fix}" for finding in diagnosis.photos)]
            lines += [f"  Then: {diagnosis.advice}", *(f"    {change.key}: {shown(change.old)} -> {shown(change.new)}" for change in diagnosis.changes)]
    return "\n".join(lines)


def _diagnosed(symptom: Symptom, evidence: Evidence) -> Diagnosis:
    seen = symptom.see(evidence)
    if seen.state != "found":
        return Diagnosis(symptom.name, symptom.cause, seen)
    photos, treatment = _findings(symptom, evidence), symptom.treat(evidence)
    return Diagnosis(symptom.name, symptom.cause, seen, photos, _photos_note(symptom, photos, evidence), treatment.advice, changes_of(evidence.settings, treatment.changes))


def _findings(symptom: Symptom, evidence: Evidence) -> tuple[Finding, ...]:
    """Errors and warnings of the checks that feed it; a note is no cause."""
    return tuple(finding for finding in evidence.report.findings if finding.check in symptom.checks and finding.severity != "note") if evidence.report else ()


def _photos_note(symptom: Symptom, photos: tuple[Finding, ...], evidence: Evidence) -> str:
    if not symptom.checks:
        return "They have no part in it."
    if evidence.report is None:
        return "They were not analyzed. Do that first; it takes seconds."
    return "These faults of the photos feed it." if photos else f"The analyzer found no fault in the {evidence.report.photo_count} photos that would explain it."
