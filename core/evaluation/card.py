"""The model card: a README beside the LoRA file that says what it is, how to use it and how well it did. Plain Markdown, numbers instead of pictures unless asked."""

from __future__ import annotations

import json

from core.evaluation.grid import StrengthGrid, source_label, strength_label
from core.evaluation.recommend import UNKNOWN_STEP, Recommendation
from core.evaluation.scores import GridScores
from core.flux.lora_file import LoraFile
from core.settings import Settings, flatten

# Where files lie, and what a person is called on this machine, is nobody's business.
PRIVATE_SETTINGS = frozenset({"run.output", "run.warm_start", "model.path", "dataset.folder", "regularization.folder", "evaluation.face_model", "evaluation.text_image_model", "evaluation.image_model"})


def card_of(file: LoraFile, found: Recommendation, scores: GridScores, grid: StrengthGrid, settings: Settings | None, picture: str = "") -> str:
    """With Hugging Face's front matter. `picture` is the name of the grid that lies beside it, where its pictures are wanted."""
    chosen = found.chosen
    assert chosen is not None
    trigger, prompt = file.trigger_word, _example(grid, file.trigger_word)
    lines = [
        "---", "library_name: diffusers", "pipeline_tag: text-to-image", "tags: [flux, lora, text-to-image]", f"instance_prompt: {json.dumps(trigger)}", "---", "",
        f"# {file.path.stem}", "",
        f"A LoRA for FLUX.1-dev of one person, rank {file.rank}" + ("." if chosen.step == UNKNOWN_STEP else f", trained for {chosen.step} steps."), "",
        f"**Use it at strength {strength_label(chosen.strength)}**" + (f" with the trigger word `{trigger}` in the prompt." if trigger else "."),
        f"Likeness {chosen.likeness:.2f} +- {chosen.likeness_error:.2f} (0: a stranger, 1: as alike as the person's own photos). {found.why}", "",
        "## How to use", "", "```python", "pipeline = FluxPipeline.from_pretrained(\"black-forest-labs/FLUX.1-dev\", torch_dtype=torch.bfloat16)",
        f"pipeline.load_lora_weights({json.dumps(file.path.name)}, adapter_name=\"person\")", f"pipeline.set_adapters(\"person\", {chosen.strength:g})", f"picture = pipeline({json.dumps(prompt)}).images[0]", "```", "",
        f"In ComfyUI and Forge: load the file as a LoRA at strength {chosen.strength:g}.", "",
        "## What was measured", "", *_table(found, scores), "",
        f"On {len(grid.request.prompts)} prompts with {grid.request.seeds_each} seeds each, {grid.request.width} x {grid.request.height}, {grid.request.num_inference_steps} steps, guidance {grid.request.guidance_scale:g}.",
    ]  # fmt: skip
    lines += [f"Not measured: {name} ({reason})." for name, reason in _missing(chosen.source, chosen.strength, scores)]
    if picture:
        lines += ["", "## Pictures", "", f"![Prompts down, strengths across](<{picture}>)"]
    if settings:
        lines += ["", "## Settings", "", "| setting | value |", "|---|---|", *(f"| {key} | {_cell(value)} |" for key, value in flatten(settings).items() if key not in PRIVATE_SETTINGS)]
    return "\n".join(lines) + "\n"


def _table(found: Recommendation, scores: GridScores) -> list[str]:
    lines = ["| checkpoint | strength | score | likeness | fails |", "|---|---|---|---|---|"]
    for candidate in sorted(found.candidates, key=lambda candidate: (candidate.step, candidate.strength)):
        mark = "**" if found.chosen and (candidate.source, candidate.strength) == (found.chosen.source, found.chosen.strength) else ""
        lines.append(f"| {source_label(candidate.source)} | {mark}{candidate.strength:g}{mark} | {candidate.score:.2f} | {candidate.likeness:.2f} | {', '.join(candidate.failed) or 'nothing'} |")
    return lines


def _missing(source: str, strength: float, scores: GridScores) -> list[tuple[str, str]]:
    configuration = next(one for one in scores.configurations if (one.source, one.strength) == (source, strength))
    return [(measure.name, measure.reason) for measure in configuration.measures if measure.value is None]


def _example(grid: StrengthGrid, trigger: str) -> str:
    return next((prompt for prompt in grid.request.prompts if trigger and trigger in prompt), grid.request.prompts[0])


def _cell(value: object) -> str:
    """One table cell: no pipe and no line break may end it."""
    return str(value).replace("|", "\\|").replace("\n", " ")
