"""The training loop: settings in, events out; stops, saves and resumes without losing a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from core.dataset.folder import open_photos
from core.durable import NO_SPACE, sweep_hidden
from core.errors import Refused
from core.events import CheckpointSaved, FixedNoiseLoss, ImageSaved, Phase, RunEvent, RunFinished, RunStarted, RunStopped, Warned
from core.flux.lora import set_lora_weights
from core.flux.lora_file import LoraFile, load_encoder_weights, load_lora_weights, read_lora_header
from core.flux.model_folder import open_model_folder
from core.flux.models import choose_hardware, free_memory, quiet_libraries
from core.runs import Run, Wishes
from core.settings import Settings, warnings_of
from core.signs import EarlyStop, best_round, early_stop
from core.training.compilation import Compilation
from core.training.ending import end_early, publish
from core.training.layout import free_bytes, most_tokens, new_optimizer, place_transformer, rungs_for, shape_of
from core.training.measure import draw_samples, measure_fixed_noise
from core.training.memory import Forecast, MemoryPlan
from core.training.outlook import disk_shortage
from core.training.preflight import is_out_of_memory, plan_words
from core.training.prepare import Material, prepare
from core.training.state import TrainState, plan_of, restore_checkpoint, save_checkpoint, split
from core.training.step import Parts, StepGivenUp
from core.training.sturdy_step import sturdy_step
from core.training.text_encoder import build_text_encoder, encoder_rank
from core.training.world import World

NO_WISHES = Wishes()


def train(run: Run, should_stop: Callable[[], bool], resume: bool, world: World | None = None, wishes: Wishes = NO_WISHES) -> Iterator[RunEvent]:
    """Train the run to its end or until `should_stop`; with `resume`, from its newest whole checkpoint. `wishes` are granted between two steps.

    Every process of `world` runs this; only the first writes files. Raises UserError, with everything up to the last checkpoint on disk.
    """
    began = time.monotonic()
    settings, world = run.settings, world or World()
    quiet_libraries()
    world.share_of(settings.train.gradient_accumulation_steps, "GRAD_ACCUM")
    checkpoint, damaged = run.newest_whole_checkpoint() if resume else (None, [])
    first_step = checkpoint[0] if checkpoint else 0
    if world.is_main:
        run.log.cut_after(first_step)
        sweep_hidden(run.checkpoints_folder)
    yield RunStarted(job="train", name=run.name, first_step=first_step, steps=settings.train.steps)
    for sentence in [*damaged, *warnings_of(settings)]:
        yield Warned(what=sentence)

    model, hardware = open_model_folder(Path(settings.model.path)), choose_hardware(settings.model.precision)
    if settings.dataset.resolution > model.image_size:
        yield Warned(what=f"Resolution {settings.dataset.resolution} is above the {model.image_size} px this model was made for; likeness will suffer.")
    material = None
    for item in prepare(open_photos(settings.dataset), settings, model, hardware):
        if isinstance(item, Material):
            material = item
        else:
            yield item
        if world.size == 1 and should_stop():
            yield RunStopped(step=first_step, seconds=time.monotonic() - began)
            return
    assert material is not None
    yield Phase(what="Loading transformer")
    parts = Parts(run, model, hardware, material, world)
    shape, free = shape_of(model), free_bytes(hardware)
    shortage = disk_shortage(settings, shape)
    if shortage:
        yield Warned(what=shortage)
    rungs = rungs_for(settings, shape, most_tokens(material), free, hardware)
    rungs = _from_saved(rungs, plan_of(checkpoint[1]) if checkpoint else None)
    yield Phase(what=f"In memory: {plan_words(*rungs[0], shape, free)}")
    state = build_state(parts, rungs[0][0], checkpoint[1] if checkpoint else None)
    seen = run.log.read()[0] if world.is_main else []
    yield from _remembered(_loop(state, parts, [plan for plan, _ in rungs[1:]], should_stop, wishes, began, seen), seen)


def _remembered(events: Iterator[RunEvent], seen: list[RunEvent]) -> Iterator[RunEvent]:
    """The loop decides by what the log says, so that a resumed run decides alike."""
    for event in events:
        seen.append(event)
        yield event


def _from_saved(rungs: list[tuple[MemoryPlan, Forecast]], saved: MemoryPlan | None) -> list[tuple[MemoryPlan, Forecast]]:
    """A resumed run begins on the rung it was saved on, when that still fits."""
    plans = [plan for plan, _ in rungs]
    return rungs[plans.index(saved) :] if saved in plans else rungs


def build_state(parts: Parts, plan: MemoryPlan, checkpoint: Path | None) -> TrainState:
    """Transformer, text encoder where it is trained, and optimizers: at step 0, warm-started, or as the checkpoint has them.

    Raises Refused for a warm start from another kind of LoRA or a checkpoint of other settings.
    """
    settings = parts.settings
    transformer, parameters = place_transformer(plan, settings, parts.model, parts.hardware)
    state = TrainState(transformer, parameters, new_optimizer(parameters, settings), plan)
    warm = read_lora_header(Path(settings.run.warm_start)) if settings.run.warm_start and not checkpoint else None
    if settings.trains_text_encoder or (warm and warm.encoder_rank) or (checkpoint and _has_encoder(checkpoint)):
        state.text_encoder = build_text_encoder(parts.model, parts.hardware, settings)
    if warm:
        _warm_start(state, warm, parts)
    if checkpoint:
        restore_checkpoint(state, checkpoint, settings)
    if state.text_encoder and state.step >= settings.text_encoder_steps:
        state.freeze_text_encoder(list(parts.material.embeds))
    return state


def _has_encoder(checkpoint: Path) -> bool:
    from safetensors import safe_open

    if not (checkpoint / "lora.safetensors").is_file():
        return False  # restoring it will say what is missing
    with safe_open(checkpoint / "lora.safetensors", "pt") as opened:
        return bool(split(dict.fromkeys(opened.keys()))[1])


def _warm_start(state: TrainState, file: LoraFile, parts: Parts) -> None:
    """Weights of transformer and text encoder from a LoRA file; the optimizers start anew."""
    settings = parts.settings
    trained_on = file.own.get("model")
    if trained_on and trained_on != parts.model.fingerprint:
        raise Refused("This LoRA was trained on another base model than the one it would go on with.", str(file.path), "Choose the base model it was trained on (MODEL_PATH).")
    scale = settings.lora.alpha / settings.lora.rank
    try:
        set_lora_weights(state.transformer, _unfolded(load_lora_weights(file), scale))
        if state.text_encoder and file.encoder_rank:
            state.text_encoder.set_weights(_unfolded(load_encoder_weights(file), scale))
    except ValueError as error:
        ranks = f"rank {file.rank} on {len(file.targets)} layers" + (f" and rank {file.encoder_rank} in the text encoder (here {encoder_rank(settings)})" if file.encoder_rank else "")
        raise Refused(f"This LoRA does not fit the settings: it has {ranks} ({error}).", str(file.path), f"Set RANK={file.rank} and the target layers it was trained with, on the same base model.") from None


def _unfolded(weights: dict[str, torch.Tensor], scale: float) -> dict[str, torch.Tensor]:
    """A file has alpha / rank folded into B; the live LoRA has it outside."""
    return {name: tensor / scale if ".lora_B." in name else tensor for name, tensor in weights.items()}


def _loop(state: TrainState, parts: Parts, thriftier: list[MemoryPlan], should_stop: Callable[[], bool], wishes: Wishes, began: float, seen: list[RunEvent]) -> Iterator[RunEvent]:
    """`seen` is the log so far, this loop's own events included."""
    settings, world = parts.settings, parts.world
    steps, saved_step, saved_at, measured = settings.train.steps, state.step, time.monotonic(), None
    if world.is_main:
        yield from _missing_round(state, parts, should_stop, seen)
    compilation = Compilation.of(parts)
    end = _early_stop(parts, seen)
    while state.step < steps and not world.agree(should_stop() or end is not None, parts.hardware.device):
        if state.text_encoder and state.step >= settings.text_encoder_steps:
            yield Phase(what="Freezing the text encoder")
            state.freeze_text_encoder(list(parts.material.embeds))
        try:
            yield from sturdy_step(state, parts, thriftier, compilation, should_stop)
        except StepGivenUp:
            break
        if not world.is_main:
            continue
        is_save_wished = wishes.save()
        save_due = is_save_wished or _is_checkpoint_due(state.step, time.monotonic() - saved_at, settings)
        measured = None
        if save_due or _is_due(state.step, settings.train.validate_every, steps):
            measured = measure_fixed_noise(state, parts)
            yield measured
        if wishes.sample() or _is_due(state.step, settings.sampling.every, steps):
            yield from _samples(state, parts, should_stop, seen)
        if save_due and state.step < steps:
            for event in _periodic_checkpoint(state, parts, measured, seen):
                if isinstance(event, CheckpointSaved):
                    saved_step, saved_at = state.step, time.monotonic()
                yield event
        if is_save_wished and state.step < steps:
            yield from _publish_on_wish(state, parts)
        end = _early_stop(parts, seen)
    if not world.is_main:
        return
    if state.step > saved_step:
        yield Phase(what="Saving")
        yield _saved(state, parts, measured, seen)
    if end:
        yield from end_early(end, state, parts, seen)
    elif state.step:
        yield from publish(state.weights_to_publish(), state.step, parts)
    seconds = time.monotonic() - began
    yield RunFinished(seconds=seconds) if end or state.step == steps else RunStopped(step=state.step, seconds=seconds)


def _missing_round(state: TrainState, parts: Parts, should_stop: Callable[[], bool], seen: list[RunEvent]) -> Iterator[RunEvent]:
    """Losses and samples of the base model, or those of the step a stop broke off before they were drawn."""
    settings = parts.settings
    if state.step == 0 and settings.train.validate_every:
        yield measure_fixed_noise(state, parts)
    drawn = any(isinstance(event, ImageSaved) and event.step == state.step for event in seen)
    if not drawn and settings.sampling.every and (state.step == 0 or _is_due(state.step, settings.sampling.every, settings.train.steps)):
        yield from _samples(state, parts, should_stop, seen)


def _early_stop(parts: Parts, seen: list[RunEvent]) -> EarlyStop | None:
    return early_stop(seen) if parts.settings.train.stop_early and parts.world.is_main else None


def _samples(state: TrainState, parts: Parts, should_stop: Callable[[], bool], seen: list[RunEvent]) -> Iterator[RunEvent]:
    """Samples are for looking at: what keeps them from being drawn, measured or written costs them, not the run. Why they are not measured is said once."""
    said = {event.what for event in seen if isinstance(event, Warned)}
    try:
        yield from (event for event in draw_samples(state, parts, should_stop) if not (isinstance(event, Warned) and event.what in said))
        return
    except Exception as error:
        if is_out_of_memory(error):
            reason = "the device's memory does not hold them beside the training. Set sampling.width and sampling.height lower, or sampling.every=0."
        elif isinstance(error, OSError) and error.errno in NO_SPACE:
            reason = "there is no space to write them. Free some."
        else:
            raise
    free_memory()
    yield Warned(what=f"No samples at step {state.step}: {reason} Training goes on.")


def _is_due(step: int, every: int, steps: int) -> bool:
    """Every so many steps and after the last one; 0 is never."""
    return bool(every) and (step % every == 0 or step == steps)


def _is_checkpoint_due(step: int, seconds: float, settings: Settings) -> bool:
    """By steps, by minutes, and where a run may end early also at every round of samples: one of them will be the best."""
    train = settings.train
    return step % train.save_every == 0 or bool(train.save_minutes and seconds >= 60 * train.save_minutes) or (train.stop_early and _is_due(step, settings.sampling.every, train.steps))


def _periodic_checkpoint(state: TrainState, parts: Parts, measured: FixedNoiseLoss | None, seen: list[RunEvent]) -> Iterator[RunEvent]:
    """A full disk costs this checkpoint, not the run: the next one is tried again."""
    try:
        yield _saved(state, parts, measured, seen)
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        yield Warned(what=f"No space for the checkpoint of step {state.step}; training goes on. Free some space before the next one.")


def _publish_on_wish(state: TrainState, parts: Parts) -> Iterator[RunEvent]:
    """The LoRA as it stands, to be looked at while training goes on; a full disk costs this file only."""
    try:
        yield from publish(state.weights_to_publish(), state.step, parts)
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        yield Warned(what=f"No space for the LoRA of step {state.step}; training goes on. Free some space, then save again.")


def _saved(state: TrainState, parts: Parts, measured: FixedNoiseLoss | None, seen: list[RunEvent]) -> CheckpointSaved:
    run, best = parts.run, best_round(seen) if parts.settings.train.stop_early else None
    folder = save_checkpoint(state, run, measured.held_out if measured else None, best.step if best else None)
    return CheckpointSaved(step=state.step, file=folder.relative_to(run.folder).as_posix())
