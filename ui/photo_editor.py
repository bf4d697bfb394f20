"""The photo that is looked at: large, with its frame for cropping, its caption and what is checked while it is written."""

from __future__ import annotations

import math
from html import escape

from pydantic import BaseModel, ConfigDict, ValidationError

from core.dataset.caption_edits import checks_of
from core.dataset.edits import Box, has_original
from core.dataset.folder import Dataset, Sample
from core.errors import Refused
from ui.pictures import nothing_yet, photo_address
from ui.texts import dataset as texts

LARGE_SIDE = 1024
EDGES = ("nw", "ne", "sw", "se")


class Edited(BaseModel):
    """Whose caption stands in the box, how it read when it was put there, and whether a person typed into it since (photos.js says so).

    Name and box are two fields, and a slow browser may send one of them late: what nobody typed is never saved.
    """

    model_config = ConfigDict(frozen=True)

    name: str = ""
    text: str = ""
    typed: bool = False


def read_edited(text: str | None) -> Edited:
    try:
        return Edited.model_validate_json(text or "{}")
    except ValidationError:
        return Edited()


def edited_as(name: str, text: str) -> str:
    return Edited(name=name, text=text).model_dump_json()


def after_saving(edited: str, text: str) -> str:
    """What stands in the box once what was typed is saved."""
    return edited_as(read_edited(edited).name, text) if read_edited(edited).typed else edited


def large_photo(dataset: Dataset, sample: Sample) -> str:
    name = escape(sample.name, quote=True)
    handles = "".join(f'<i data-edge="{edge}"></i>' for edge in EDGES)
    frame = f'<div id="crop-frame" hidden tabindex="0" role="group" aria-label="{texts.CROP_FRAME}">{handles}</div>'
    address = escape(photo_address(str(dataset.folder), sample, LARGE_SIDE), quote=True)
    original = f" {texts.HAS_ORIGINAL}" if has_original(dataset, sample) else ""
    tools = (
        f'<button type="button" id="crop-start">{texts.CROP}</button><button type="button" id="crop-apply" hidden>{texts.CROP_APPLY}</button><button type="button" id="crop-cancel" hidden>{texts.CROP_CANCEL}</button>'
    )
    return f'<div id="large-photo"><img src="{address}" alt="{name}" draggable="false">{frame}</div><p class="large-bar"><b>{name}</b><span>{tools}</span></p><small>{escape(sample.image.name)}.{original}</small>'


def no_photo() -> str:
    return nothing_yet(texts.PICK_ONE)


def checks_html(text: str, trigger_word: str) -> str:
    """A line per check; the mark is a word for screen readers, a sign for the eye."""
    lines = (f'<li class="{"good" if check.is_good else "bad"}"><span aria-label="{texts.CHECKS[check.is_good]}">{"&#10003;" if check.is_good else "!"}</span>{escape(check.says)}</li>' for check in checks_of(text, trigger_word))
    return f'<ul class="caption-checks" aria-live="polite">{"".join(lines)}</ul>'


def read_box(text: str) -> Box:
    """Raises Refused for what is no box."""
    try:
        left, top, right, bottom = (float(share) for share in text.split(","))
    except ValueError:
        raise Refused("The frame could not be read.", "", "Draw it again.") from None
    if not all(math.isfinite(share) for share in (left, top, right, bottom)):
        raise Refused("The frame has no edges.", "", "Draw it again.")
    return left, top, right, bottom
