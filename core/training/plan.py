"""The resolved plan of a run in plain text: settings and where each came from, photos per bucket, steps, files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from core.dataset.buckets import buckets_for, place
from core.dataset.folder import Dataset, open_dataset
from core.dataset.imaging import upright_size
from core.flux.model_folder import ModelFolder, open_model_folder
from core.flux.models import Hardware, choose_hardware
from core.pace import cost
from core.presets import Resolved
from core.settings import Settings, declarations, flatten, warnings_of
from core.training.held_out import held_out_count
from core.training.layout import free_bytes, rungs_for, shape_of
from core.training.memory import GIB
from core.training.outlook import disk_bytes, disk_shortage, free_disk, measured_flops, phase_peaks, run_seconds, sample_seconds, text_tokens
from core.training.preflight import plan_words
from core.training.prepare import placements_of
from core.training.prospect import Prospect


def render_plan(resolved: Resolved, name: str) -> str:
    """What a start would do. Raises UserError or Refused for what a start would refuse."""
    settings = resolved.settings
    model = open_model_folder(Path(settings.model.path))
    dataset = open_dataset(Path(settings.dataset.folder))
    train = settings.train
    forwards = train.steps * train.gradient_accumulation_steps
    lines = [f"Plan of run '{name}' (preset {resolved.preset}); nothing is started.", ""]
    lines += _settings_lines(resolved)
    lines += ["", f"Photos: {len(dataset.samples)} in {settings.dataset.folder}", *_bucket_lines(dataset, resolved)]
    lines += [f"Steps: {train.steps} optimizer steps of {train.batch_size} x {train.gradient_accumulation_steps} photos, {forwards} forward passes"]
    if dataset.samples:
        lines[-1] += f", each photo about {round(forwards * train.batch_size / len(dataset.samples))} times"
    lines += _extras(len(dataset.samples), settings)
    lines += [f"Model: {settings.model.path}, {model.double_blocks} + {model.single_blocks} blocks, made for {model.image_size} px"]
    lines += _forecast_lines(dataset, settings, model) if dataset.samples else []
    output = Path(settings.run.output)
    lines += ["Files:", f"  {output / f'{name}.safetensors'}  the LoRA", f"  {output / 'samples' / name}/  samples", f"  {output / name}/  log and checkpoints"]
    lines += [f"Note: {sentence}" for sentence in warnings_of(settings)]
    return "\n".join(lines)


def prospect_of(dataset: Dataset, settings: Settings, model: ModelFolder, speed: Callable[[Hardware], float]) -> Prospect:
    """Memory, time and disk on this machine; `speed` in floating-point operations a second. Raises Refused when no layout fits."""
    hardware, shape = choose_hardware(settings.model.precision), shape_of(model)
    pixels = [placement.bucket.width * placement.bucket.height for placement in placements_of(dataset, settings).values()]
    tokens = [count // 256 + text_tokens(settings, model) for count in pixels]
    free, output = free_bytes(hardware), Path(settings.run.output)
    plan, needs = rungs_for(settings, shape, max(tokens), free, hardware)[0]
    peaks = phase_peaks(settings, needs, model, hardware, max(pixels))
    notes = [disk_shortage(settings, shape)]
    notes += [f"{phase.capitalize()} may not fit: {peak / GIB:.1f} of {free / GIB:.1f} GiB." for phase, peak in peaks.items() if peak > free]
    flops = speed(hardware)
    return Prospect(
        plan_words(plan, needs, shape, free), run_seconds(settings, shape, sum(tokens) // len(tokens), plan, flops), sample_seconds(settings, shape, text_tokens(settings, model), flops),
        peaks, free, disk_bytes(settings, shape), free_disk(output), tuple(note for note in notes if note),
    )  # fmt: skip


def _forecast_lines(dataset: Dataset, settings: Settings, model: ModelFolder) -> list[str]:
    prospect = prospect_of(dataset, settings, model, measured_flops)
    lines = [f"Memory: {prospect.layout}", f"  peak of each phase: {', '.join(f'{phase} {peak / GIB:.1f}' for phase, peak in prospect.peaks.items())} GiB"]
    lines.append(f"Time: very roughly {prospect.step_seconds / 60:.1f} minutes of steps and {prospect.sample_seconds / 60:.1f} of samples, from the speed of this machine's matrix products")
    price = cost(prospect.seconds, settings.run.price_per_hour)
    if price is not None:
        lines.append(f"Price: about {price:.2f} at {settings.run.price_per_hour:g} an hour")
    lines.append(f"Disk: up to {prospect.disk / GIB:.2f} GiB for checkpoints and LoRA, {prospect.disk_free / GIB:.1f} GiB are free")
    return lines + [f"Note: {note}" for note in prospect.notes]


def _extras(photos: int, settings: Settings) -> list[str]:
    """What happens besides plain training on the photos."""
    lines = []
    if settings.text_encoder.two_phase:
        lines.append(f"Text encoder: trained for the first {settings.text_encoder_steps} steps, then frozen")
    elif settings.trains_text_encoder:
        lines.append("Text encoder: trained to the end")
    if settings.regularization.enabled:
        source = f"class photos in {settings.regularization.folder}" if settings.regularization.folder else f"the base model's own prediction for '{settings.dataset.class_word}'"
        lines.append(f"Regularization: on {source}, weight {settings.regularization.weight:g}")
    held_out = held_out_count(photos) if settings.dataset.hold_out else 0
    if held_out:
        lines.append(f"Held out: {held_out} photos that the others cover best")
    return lines


def _settings_lines(resolved: Resolved) -> list[str]:
    values = flatten(resolved.settings)
    rows = [(d.key, _shown(values[d.key]), resolved.origins.get(d.key, "default"), d.variable or "") for d in declarations()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [f"  {key:{widths[0]}}  {value:{widths[1]}}  {origin:{widths[2]}}  {variable}".rstrip() for key, value, origin, variable in rows]


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"{len(value)} lines"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value) or "-"


def _bucket_lines(dataset: Dataset, resolved: Resolved) -> list[str]:
    sizes = resolved.settings.dataset
    buckets = buckets_for(sizes.resolution, sizes.min_bucket_resolution, sizes.max_bucket_resolution, sizes.bucket_step)
    counts = Counter(place(*upright_size(sample.image), buckets).bucket for sample in dataset.samples)
    return [f"  {bucket.width}x{bucket.height}: {count} photos" for bucket, count in counts.most_common()]
