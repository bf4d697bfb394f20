"""Writes the recommendation where it is used: into the LoRA file's metadata, and as a model card beside it. No photo and no picture unless asked, no path, no secret."""

from __future__ import annotations

import json
from pathlib import Path

from core.durable import write_atomic
from core.evaluation.card import card_of
from core.evaluation.grid import FINAL, SHEET_FILE, StrengthGrid, evaluations_folder
from core.evaluation.recommend import UNKNOWN_STEP, Candidate, Recommendation
from core.evaluation.run_of import run_of
from core.evaluation.scores import GridScores
from core.evaluation.sources import read_source
from core.flux.lora_file import OWN_METADATA, LoraFile, read_lora_header, save_lora_file
from core.runs import CARD_GRID_SUFFIX

CARD_SUFFIX = ".md"


def publish(found: Recommendation, scores: GridScores, grid: StrengthGrid, output: Path) -> str:
    """Returns the name of the LoRA file in the output folder: the run's own, or one of its own for an earlier checkpoint."""
    assert found.chosen is not None
    lora = read_lora_header(output / grid.request.lora)
    name = lora.path.name if found.chosen.source == FINAL else f"{lora.path.stem}-{found.chosen.source}.safetensors"
    weights = read_source(found.chosen.source, lora, output)
    file = save_lora_file(output / name, weights.transformer | weights.encoder, 1.0, metadata_with(lora, found.chosen))
    run = run_of(grid.request.lora, output)
    picture = file.path.with_name(file.path.stem + CARD_GRID_SUFFIX)
    if grid.request.card_grid:
        write_atomic(picture, (evaluations_folder(output) / grid.name / SHEET_FILE).read_bytes())
    else:
        picture.unlink(missing_ok=True)  # an earlier choice may have asked for it
    card = card_of(file, found, scores, grid, run.settings if run else None, picture.name if grid.request.card_grid else "")
    write_atomic(file.path.with_suffix(CARD_SUFFIX), card.encode())
    return name


def metadata_with(lora: LoraFile, chosen: Candidate) -> dict[str, str]:
    """The file's own metadata, and how it is best used."""
    steps = {} if chosen.step == UNKNOWN_STEP else {"step": chosen.step}
    own = {**lora.own, **steps, "recommended": {"strength": chosen.strength, "likeness": round(chosen.likeness, 3), "likeness_error": round(chosen.likeness_error, 3)}}
    hint = f"Use at strength {chosen.strength:g}" + (f" with the trigger word {lora.trigger_word}." if lora.trigger_word else ".")
    return {**lora.metadata, **{f"ss_{name}s": str(step) for name, step in steps.items()}, OWN_METADATA: json.dumps(own), "modelspec.usage_hint": hint}
