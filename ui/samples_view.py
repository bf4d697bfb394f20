"""Samples by step with the base model beside them; a click opens one at full size with the base under a slider (ui/server/studio.js)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from core.events import ImageSaved
from ui.pictures import NOTHING
from ui.texts import training as texts


def samples_by_step(images: Sequence[ImageSaved]) -> str:
    """A row per prompt: the base model first, which stays in sight, then the newest step down to the oldest."""
    if not images:
        return NOTHING.format(texts.NO_SAMPLES)
    prompts = list(dict.fromkeys(image.prompt for image in images))
    return "".join(_row(prompt, [image for image in images if image.prompt == prompt]) for prompt in prompts)


def _row(prompt: str, images: Sequence[ImageSaved]) -> str:
    base = [image for image in images if image.step == 0]
    later = sorted((image for image in images if image.step), key=lambda image: -image.step)
    return f'<section class="samples-row" data-row aria-label="{escape(prompt, quote=True)}"><p>{escape(prompt)}</p><div class="strip">{"".join(_figure(image) for image in (*base, *later))}</div></section>'


def _figure(image: ImageSaved) -> str:
    address = f"pictures/{quote(image.file)}?v={image.time:.0f}"
    label = texts.SAMPLE_STEP.format(step=image.step) if image.step else texts.SAMPLE_BASE
    words = escape(image.prompt, quote=True)
    return (
        f'<figure{"" if image.step else " class=base"}><button type="button" data-full="{address}" data-label="{label}" data-words="{words}" aria-label="{texts.SAMPLE_COMPARE.format(label=label)}">'
        f'<img loading="lazy" src="{address}" alt="{words}, {label}"></button><figcaption>{label}</figcaption></figure>'
    )
