"""The symptoms a run's own log shows: a loss that is no number, memory that ran out, and a person that stays weak."""

from __future__ import annotations

import re

from core.doctor.diagnosis import Seen, Treatment
from core.doctor.evidence import Evidence
from core.signs import GOOD, best_round, level_of, rounds_of, undertrained

# How the trainer words them; tests let it fail for real and look here.
NOT_FINITE = re.compile(r" is -?(nan|inf)\b", re.IGNORECASE)
OUT_OF_MEMORY = re.compile(r"out of memory|memory (are|is) free|memory does not hold", re.IGNORECASE)
# The guide: 3500 steps instead of 2500, rank 96 instead of 64.
MORE_STEPS, MORE_RANK, LARGEST_RANK = 1.4, 1.5, 256
GUIDE_RESOLUTION = 512
# Below this the guide keeps the text encoder frozen.
FEWEST_PHOTOS_FOR_ENCODER = 15
NO_STEP = "The run has no step yet."


def see_nan(evidence: Evidence) -> Seen:
    failure = evidence.failure
    if failure and NOT_FINITE.search(failure.what):
        return Seen("found", (failure.what, f"The learning rate was {evidence.settings.optimizer.learning_rate:g}, precision {evidence.settings.model.precision}."))
    if not evidence.steps_done:
        return Seen("not measured", (), f"{NO_STEP} Start it.")
    return Seen("not found", (f"Loss and gradient were finite in all {evidence.steps_done} steps.",))


def treat_nan(evidence: Evidence) -> Treatment:
    return Treatment("Halve the learning rate and keep precision at bf16 (auto).", {"optimizer.learning_rate": evidence.settings.optimizer.learning_rate / 2, "model.precision": "auto"})


def see_out_of_memory(evidence: Evidence) -> Seen:
    said = [what for what in evidence.warnings if OUT_OF_MEMORY.search(what)]
    if evidence.failure and OUT_OF_MEMORY.search(evidence.failure.what):
        said.append(evidence.failure.what)
    if said:
        return Seen("found", tuple(said))
    if not evidence.steps_done:
        return Seen("not measured", (), f"{NO_STEP} Start it; the plan (DRY_RUN=1) forecasts its memory.")
    return Seen("not found", (f"Memory sufficed for all {evidence.steps_done} steps.",))


def treat_out_of_memory(evidence: Evidence) -> Treatment:
    """The guide's order; the last rungs are ours, for who has done all of that already."""
    settings = evidence.settings
    only_samples = not evidence.failure and all(what.startswith("No samples") for what in evidence.warnings if OUT_OF_MEMORY.search(what))
    if only_samples:
        half = max(64, (settings.sampling.width or settings.dataset.resolution) // 2 // 16 * 16)
        return Treatment("Only the samples did not fit: draw them smaller. The LoRA is not concerned.", {"sampling.width": half, "sampling.height": half})
    changes: dict[str, object] = {"train.batch_size": 1, "model.base": "auto", "model.gradient_checkpointing": "auto"}
    if settings.dataset.resolution > GUIDE_RESOLUTION:
        changes |= {"dataset.resolution": GUIDE_RESOLUTION, "dataset.min_bucket_resolution": min(settings.dataset.min_bucket_resolution, GUIDE_RESOLUTION)}
    elif settings.train.batch_size == 1:
        changes |= {"optimizer.kind": "adamw8bit"}
    return Treatment("Batch size 1, then resolution 512; the 8-bit base and gradient checkpointing are chosen by themselves (auto).", changes)


def see_weak_identity(evidence: Evidence) -> Seen:
    """By the evaluation where there is one, else by the last samples."""
    measured, last = evidence.measure("likeness"), evidence.published_round
    if measured.value is None and last is None:
        return Seen("not measured", (), "Evaluate the LoRA, or train with samples: prompts with {trigger}, sampling.every above 0.")
    if not evidence.has_ended:
        return Seen("not measured", (), f"The run is at step {evidence.steps_done} of {evidence.settings.train.steps}; it is judged when it ends.")
    likeness = measured.value if measured.value is not None else last.mean
    where = f"in its evaluation ({measured.detail})" if measured.value is not None else f"in the samples of step {last.step} ({last.faces} of {last.pictures} show a face)"
    said = [f"Likeness is {likeness:.2f}, {level_of(likeness)}, {where}; good begins at {GOOD:.2f}."]
    if likeness >= GOOD:
        return Seen("not found", tuple(said))
    if evidence.was_stopped_short:
        said.append(f"It ended at step {evidence.steps_done} of {evidence.settings.train.steps}.")
    climbing = undertrained(evidence.events, evidence.settings.train.steps)
    said += [climbing.sentence] if climbing else []
    if has_levelled(evidence):
        said.append(f"It has not grown since step {best_round(evidence.events).step}, so more steps alone would not help.")
    return Seen("found", tuple(said))


def treat_weak_identity(evidence: Evidence) -> Treatment:
    settings = evidence.settings
    if evidence.was_stopped_short:
        return Treatment("Resume the run: it was stopped before it had learned the person.", {})
    rank = min(LARGEST_RANK, round(settings.lora.rank * MORE_RANK))
    changes: dict[str, object] = {"lora.rank": rank, "lora.alpha": settings.lora.alpha * rank / settings.lora.rank}
    if not has_levelled(evidence):
        return Treatment("More steps and a higher rank, and more diverse photos.", {**changes, "train.steps": round(settings.train.steps * MORE_STEPS)})
    few = evidence.report is None or evidence.report.photo_count < FEWEST_PHOTOS_FOR_ENCODER
    if few or settings.trains_text_encoder:
        return Treatment("A higher rank and more diverse photos; likeness had levelled, so the steps stay.", changes)
    return Treatment(
        "A higher rank, and the text encoder for the first half of the steps, with regularization: likeness had levelled, so the steps stay.", {**changes, "text_encoder.two_phase": True, "regularization.enabled": True}
    )


def has_levelled(evidence: Evidence) -> bool:
    """Two rounds or more without a gain."""
    rounds, best = rounds_of(evidence.events), best_round(evidence.events)
    return best is not None and len(rounds) - rounds.index(best) > 2
