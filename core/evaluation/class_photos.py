"""Draws class photos for regularization with the base model: other people of the class in the scenes of the captions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from core.dataset.captions import class_caption, write_caption
from core.dataset.folder import open_dataset
from core.dataset.names import class_folder
from core.events import ImageSaved, Phase, RunEvent, RunFinished, RunStarted, RunStopped
from core.flux.encode import decode_latents, encode_prompt
from core.flux.lora import add_lora
from core.flux.model_folder import open_model_folder
from core.flux.models import choose_hardware, free_memory, load_text_encoders, load_transformer, load_vae, quiet_libraries
from core.flux.sampler import Drawing, draw_latents
from core.settings import Settings

# Far from the sample seeds, so that no class photo is a sample's twin.
FIRST_SEED = 500_000


def class_photos_folder(settings: Settings) -> Path:
    return class_folder(Path(settings.dataset.folder))


def class_prompts(settings: Settings, count: int) -> list[str]:
    """The dataset's captions without the person, each as often as it takes. Raises UserError for an unreadable dataset."""
    dataset = settings.dataset
    captions = [sample.caption.text for sample in open_dataset(Path(dataset.folder)).samples if sample.caption and sample.caption.text]
    prompts = list(dict.fromkeys(class_caption(caption, dataset.trigger_word, dataset.class_word) for caption in captions)) or [f"photo of a {dataset.class_word}"]
    return [prompts[i % len(prompts)] for i in range(count)]


def draw_class_photos(settings: Settings, count: int, should_stop: Callable[[], bool]) -> Iterator[RunEvent]:
    """Photos with captions into class_photos_folder; those that are there already are kept, so a stopped drawing goes on."""
    began = time.monotonic()
    quiet_libraries()
    folder, prompts = class_photos_folder(settings), class_prompts(settings, count)
    yield RunStarted(job="class_photos", name=folder.name, steps=count)
    missing = [number for number in range(count) if not (folder / f"class-{number:03d}.png").exists()]
    model, hardware = open_model_folder(Path(settings.model.path)), choose_hardware(settings.model.precision)
    yield Phase(what="Encoding prompts")
    encoders = load_text_encoders(model, hardware, settings.model.text_length)
    embeds = {prompt: encode_prompt(encoders, prompt) for prompt in dict.fromkeys(prompts)}
    del encoders
    free_memory()
    yield Phase(what="Loading transformer")
    transformer, vae = load_transformer(model, hardware), load_vae(model, hardware)
    add_lora(transformer, 1, 1, "attn", seed=0)  # the sampler scales a LoRA; this one changes nothing
    transformer.requires_grad_(False).eval()
    folder.mkdir(parents=True, exist_ok=True)
    size, sampling = settings.dataset.resolution, settings.sampling
    drawing = Drawing(size, size, sampling.num_inference_steps, sampling.guidance_scale)
    for done, number in enumerate(missing):
        if should_stop():
            yield RunStopped(step=done, seconds=time.monotonic() - began)
            return
        yield Phase(what="Drawing class photos", done=done, total=len(missing))
        latents = draw_latents(transformer, embeds[prompts[number]], FIRST_SEED + number, [0.0], drawing, hardware)
        file = folder / f"class-{number:03d}.png"
        write_caption(file.with_suffix(".txt"), prompts[number])
        decode_latents(vae, latents)[0].save(file)
        yield ImageSaved(step=number, prompt=prompts[number], strength=0.0, seed=FIRST_SEED + number, file=file.name)
    yield RunFinished(seconds=time.monotonic() - began)
