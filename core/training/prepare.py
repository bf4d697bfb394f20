"""From photos to what the loop eats: placements, cached latents and embeddings; each giant is loaded, used and freed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from core.dataset.buckets import Placement, buckets_for, place
from core.dataset.captions import fill_prompt
from core.dataset.folder import Dataset, Sample, open_dataset
from core.dataset.imaging import fit, open_upright, pixels, upright_size
from core.durable import sha256_of
from core.errors import UserError
from core.events import Phase, RunEvent, Warned
from core.flux.encode import LatentMoments, PromptEmbeds, encode_pixels, encode_prompt, scale_latents
from core.flux.model_folder import ModelFolder
from core.flux.models import Hardware, free_memory, load_text_encoders, load_vae
from core.settings import Settings
from core.training.cache import Cache, cache_key

CACHE_FOLDER = Path("data/cache")
# Part of every latents key: raise it when core.dataset.imaging decodes photos differently.
DECODING = 2


@dataclass(frozen=True)
class Photo:
    """One photo ready for training; latents are in the transformer's units, `bucket` is 'WxH'."""

    name: str
    bucket: str
    latents: LatentMoments
    caption: str


@dataclass(frozen=True)
class Material:
    """Everything the loop needs besides the transformer; embeddings by prompt text."""

    photos: tuple[Photo, ...]
    embeds: dict[str, PromptEmbeds]


def captions_of(dataset: Dataset, settings: Settings) -> dict[str, str]:
    """Caption by sample name. A photo without one is trained as trigger and class word, and the run says so."""
    short = short_caption(settings)
    return {sample.name: sample.caption.text if sample.caption and sample.caption.text else short for sample in dataset.samples}


def short_caption(settings: Settings) -> str:
    return f"{settings.dataset.trigger_word} {settings.dataset.class_word}"


def sample_prompts(settings: Settings) -> list[str]:
    return [fill_prompt(prompt, settings.dataset.trigger_word, settings.dataset.class_word) for prompt in settings.sampling.prompts] if settings.sampling.every else []


def open_photos(settings: Settings) -> Dataset:
    """Raises UserError when there is nothing to train on."""
    dataset = open_dataset(Path(settings.dataset.folder))
    if not dataset.samples:
        raise UserError("There is no photo to train on.", settings.dataset.folder, "Put 15 to 30 JPG, PNG or WebP photos there.")
    return dataset


def placements_of(dataset: Dataset, settings: Settings) -> dict[str, Placement]:
    """Bucket and crop of each sample by name, from the headers alone."""
    sizes = settings.dataset
    buckets = buckets_for(sizes.resolution, sizes.min_bucket_resolution, sizes.max_bucket_resolution, sizes.bucket_step)
    return {sample.name: place(*upright_size(sample.image), buckets) for sample in dataset.samples}


def prepare(dataset: Dataset, settings: Settings, model: ModelFolder, hardware: Hardware) -> Iterator[RunEvent | Material]:
    """Yields progress, warnings and, last, the Material."""
    captions = captions_of(dataset, settings)
    for warning in _dataset_warnings(dataset):
        yield Warned(what=warning)
    embeds: dict[str, PromptEmbeds] = {}
    texts = dict.fromkeys([*captions.values(), short_caption(settings), *sample_prompts(settings)])
    yield from _encode_texts(list(texts), embeds, settings, model, hardware)
    placements = placements_of(dataset, settings)
    photos: list[Photo] = []
    yield from _encode_photos(dataset, placements, captions, photos, model, hardware)
    yield Material(tuple(photos), embeds)


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
    encoders = None
    free_memory()


def _encode_photos(dataset: Dataset, placements: dict[str, Placement], captions: dict[str, str], photos: list[Photo], model: ModelFolder, hardware: Hardware) -> Iterator[RunEvent]:
    cache = Cache(CACHE_FOLDER / "latents")
    vae = None
    for done, sample in enumerate(dataset.samples):
        placement = placements[sample.name]
        key = cache_key(DECODING, model.fingerprint, sha256_of(sample.image), placement)
        entry = cache.get(key)
        if entry is None:
            if vae is None:
                yield Phase(what="Loading VAE")
                vae = load_vae(model, hardware)
            yield Phase(what="Encoding photos", done=done, total=len(dataset.samples))
            entry = cache.put(key, vars(_encode_photo(vae, sample, placement)))
        photos.append(Photo(sample.name, f"{placement.bucket.width}x{placement.bucket.height}", LatentMoments(**entry), captions[sample.name]))
    vae = None
    free_memory()


def _encode_photo(vae, sample: Sample, placement: Placement) -> LatentMoments:
    moments = encode_pixels(vae, pixels(fit(open_upright(sample.image), placement)))
    if not (torch.isfinite(moments.mean).all() and torch.isfinite(moments.std).all()):
        raise UserError("The VAE gave values that are not finite for this photo.", str(sample.image), "Exclude the photo, or save it again as JPG.")
    return LatentMoments(scale_latents(moments.mean, vae.config), moments.std * vae.config.scaling_factor)


def draw_training_latents(photos: list[Photo], generator: torch.Generator) -> Tensor:
    """One draw from each photo's moments, (B, C, H, W); all of one bucket."""
    drawn = [photo.latents.mean + photo.latents.std * torch.randn(photo.latents.std.shape, generator=generator) for photo in photos]
    return torch.cat(drawn)


def _dataset_warnings(dataset: Dataset) -> Iterator[str]:
    bare = [sample.name for sample in dataset.samples if not (sample.caption and sample.caption.text)]
    if bare:
        yield f"{len(bare)} photos have no caption and are trained as trigger and class word: {', '.join(bare[:5])}{' ...' if len(bare) > 5 else ''}."
    for problem in dataset.problems:
        yield f"{problem.file.name} is left out: {problem.what}"
