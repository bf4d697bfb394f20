"""From photos to what the loop eats: placements, cached latents and embeddings; each giant is loaded, used and freed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import ImageOps
from torch import Tensor

from core.dataset.buckets import Placement, buckets_for, place
from core.dataset.captions import class_caption, fill_prompt, has_trigger
from core.dataset.folder import Dataset, Sample, open_class_photos
from core.dataset.imaging import fit, open_upright, pixels, upright_size
from core.dataset.subjects import CACHE_FOLDER
from core.durable import sha256_of
from core.errors import UserError
from core.events import HELD_OUT_PHASE, Phase, RunEvent, Warned
from core.flux.encode import LatentMoments, PromptEmbeds, encode_pixels, encode_prompt, scale_latents
from core.flux.model_folder import ModelFolder
from core.flux.models import Hardware, free_memory, load_text_encoders, load_vae
from core.settings import Settings
from core.training.cache import Cache, cache_key
from core.training.held_out import choose_held_out, held_out_count
from core.training.readings import NOTHING_READ, Readings, read_photos, views_of

# Part of every latents key: raise it when core.dataset.imaging decodes photos differently.
DECODING = 2


@dataclass(frozen=True)
class Photo:
    """One photo ready for training; latents are in the transformer's units, `bucket` is 'WxH'.

    `mirrored` is there when the run mirrors photos; `is_class` marks a regularization photo.
    """

    name: str
    bucket: str
    latents: LatentMoments
    caption: str
    mirrored: LatentMoments | None = None
    is_class: bool = False


@dataclass(frozen=True)
class Material:
    """Everything the loop needs besides the transformer; embeddings by text, as the untouched encoders make them; faces as the photos show them."""

    photos: tuple[Photo, ...]
    held_out: tuple[Photo, ...]
    class_photos: tuple[Photo, ...]
    embeds: dict[str, PromptEmbeds]
    readings: Readings = NOTHING_READ


def captions_of(dataset: Dataset, bare: str) -> dict[str, str]:
    """Caption by sample name; a photo without one is trained as `bare`, and the run says so."""
    return {sample.name: sample.caption.text if sample.caption and sample.caption.text else bare for sample in dataset.samples}


def class_texts(captions: dict[str, str], settings: Settings) -> list[str]:
    """What the class is asked for where no class photos are given; empty without regularization."""
    if not settings.regularization.enabled or settings.regularization.folder:
        return []
    dataset = settings.dataset
    return [class_caption(caption, dataset.trigger_word, dataset.class_word) for caption in [*captions.values(), short_caption(settings)]]


def short_caption(settings: Settings) -> str:
    return f"{settings.dataset.trigger_word} {settings.dataset.class_word}"


def sample_prompts(settings: Settings) -> list[str]:
    return [fill_prompt(prompt, settings.dataset.trigger_word, settings.dataset.class_word) for prompt in settings.sampling.prompts]


def placements_of(dataset: Dataset, settings: Settings) -> dict[str, Placement]:
    """Bucket and crop of each sample by name, from the headers alone."""
    sizes = settings.dataset
    buckets = buckets_for(sizes.resolution, sizes.min_bucket_resolution, sizes.max_bucket_resolution, sizes.bucket_step)
    return {sample.name: place(*upright_size(sample.image), buckets) for sample in dataset.samples}


def prepare(dataset: Dataset, settings: Settings, model: ModelFolder, hardware: Hardware) -> Iterator[RunEvent | Material]:
    """Yields progress, warnings and, last, the Material."""
    captions = captions_of(dataset, short_caption(settings))
    class_dataset = open_class_photos(settings.regularization)
    class_captions = captions_of(class_dataset, settings.dataset.class_word) if class_dataset else {}
    for warning in [*_dataset_warnings(dataset), *_class_warnings(class_captions, settings)]:
        yield Warned(what=warning)
    embeds: dict[str, PromptEmbeds] = {}
    texts = dict.fromkeys([*captions.values(), short_caption(settings), *sample_prompts(settings), *class_captions.values(), *class_texts(captions, settings)])
    yield from _encode_texts(list(texts), embeds, settings, model, hardware)
    photos: list[Photo] = []
    yield from _encode_photos(dataset, captions, photos, settings, model, hardware)
    class_photos: list[Photo] = []
    if class_dataset:
        yield from _encode_photos(class_dataset, class_captions, class_photos, settings, model, hardware)
    readings = NOTHING_READ
    held_out: list[int] = []
    chooses = settings.dataset.hold_out and held_out_count(len(photos)) > 0
    if chooses or sample_prompts(settings):
        yield Phase(what="Reading faces")
        readings = read_photos(dataset.samples, Path(settings.model.path), Cache(CACHE_FOLDER / "faces"))
    if chooses:
        held_out = choose_held_out([photo.latents.mean for photo in photos], views_of(dataset.samples, readings))
    if held_out:
        yield Phase(what=HELD_OUT_PHASE + ", ".join(photos[i].name for i in held_out))
    trained = tuple(photo for i, photo in enumerate(photos) if i not in held_out)
    yield Material(trained, tuple(photos[i] for i in held_out), tuple(replace(photo, is_class=True) for photo in class_photos), embeds, readings)


def _encode_texts(texts: list[str], embeds: dict[str, PromptEmbeds], settings: Settings, model: ModelFolder, hardware: Hardware) -> Iterator[RunEvent]:
    cache = Cache(CACHE_FOLDER / "embeddings")
    keys = {text: cache_key(model.fingerprint, hardware.dtype, settings.model.text_length, text) for text in texts}
    encoders = None
    for done, text in enumerate(texts):
        entry = cache.get(keys[text])
        if entry is None:
            if encoders is None:
                yield Phase(what="Loading text encoders")
                encoders = load_text_encoders(model, hardware, settings.model.text_length)
            yield Phase(what="Encoding captions", done=done, total=len(texts))
            entry = cache.put(keys[text], vars(encode_prompt(encoders, text)))
        embeds[text] = PromptEmbeds(**entry)
    if encoders is not None:
        encoders = None
        free_memory()


def _encode_photos(dataset: Dataset, captions: dict[str, str], photos: list[Photo], settings: Settings, model: ModelFolder, hardware: Hardware) -> Iterator[RunEvent]:
    cache = Cache(CACHE_FOLDER / "latents")
    placements = placements_of(dataset, settings)
    vae = None
    for done, sample in enumerate(dataset.samples):
        placement, moments = placements[sample.name], []
        for mirror in (False, True) if settings.dataset.flip else (False,):
            key = cache_key(DECODING, model.fingerprint, sha256_of(sample.image), placement, *(["mirrored"] if mirror else []))
            entry = cache.get(key)
            if entry is None:
                if vae is None:
                    yield Phase(what="Loading VAE")
                    vae = load_vae(model, hardware)
                yield Phase(what="Encoding photos", done=done, total=len(dataset.samples))
                entry = cache.put(key, vars(_encode_photo(vae, sample, placement, mirror)))
            moments.append(LatentMoments(**entry))
        photos.append(Photo(sample.name, f"{placement.bucket.width}x{placement.bucket.height}", moments[0], captions[sample.name], *moments[1:]))
    if vae is not None:
        vae = None
        free_memory()


def _encode_photo(vae, sample: Sample, placement: Placement, mirror: bool) -> LatentMoments:
    picture = fit(open_upright(sample.image), placement)
    moments = encode_pixels(vae, pixels(ImageOps.mirror(picture) if mirror else picture))
    if not (torch.isfinite(moments.mean).all() and torch.isfinite(moments.std).all()):
        raise UserError("The VAE gave values that are not finite for this photo.", str(sample.image), "Exclude the photo, or save it again as JPG.")
    return LatentMoments(scale_latents(moments.mean, vae.config), moments.std * vae.config.scaling_factor)


def draw_training_latents(photos: list[Photo], flip: bool, generator: torch.Generator) -> Tensor:
    """One draw from each photo's moments, (B, C, H, W); all of one bucket. With `flip` each is mirrored at even odds."""
    drawn = []
    for photo in photos:
        moments = photo.latents
        if flip and photo.mirrored is not None and torch.rand((), generator=generator) < 0.5:
            moments = photo.mirrored
        drawn.append(moments.mean + moments.std * torch.randn(moments.std.shape, generator=generator))
    return torch.cat(drawn)


def _dataset_warnings(dataset: Dataset) -> Iterator[str]:
    bare = [sample.name for sample in dataset.samples if not (sample.caption and sample.caption.text)]
    if bare:
        yield f"{len(bare)} photos have no caption and are trained as trigger and class word: {', '.join(bare[:5])}{' ...' if len(bare) > 5 else ''}."
    for problem in dataset.problems:
        yield f"{problem.file.name} is left out: {problem.what}"


def _class_warnings(class_captions: dict[str, str], settings: Settings) -> Iterator[str]:
    named = [name for name, caption in class_captions.items() if has_trigger(caption, settings.dataset.trigger_word)]
    if named:
        yield f"{len(named)} class photos have the trigger word in their caption ({', '.join(named[:5])}): the LoRA will learn those people too. Take it out."
