"""The buttons of a report that do what a finding proposes; photos.js says which was pressed."""

from __future__ import annotations

import json
from html import escape

from pydantic import BaseModel, ConfigDict, ValidationError

from core.analyzer.report import Finding
from core.errors import Refused
from ui.caption_panel import captioner_title
from ui.texts import analyzer as texts


class Pressed(BaseModel):
    """Which finding of the report, by number, which of its photos, and who shall caption them; nobody where the remedy needs none."""

    model_config = ConfigDict(frozen=True)

    finding: int
    photos: tuple[str, ...]
    captioner: str = ""


def remedy_buttons(number: int, finding: Finding, photos: tuple[str, ...], captioner: str) -> str:
    """Nothing where a click can do nothing; captions can be made anew by `captioner` too, unless it is empty."""
    if finding.remedy is None or not photos:
        return ""
    buttons = _button("data-remedy", number, photos, texts.REMEDIES[finding.remedy])
    if finding.remedy == "caption again" and captioner:
        buttons += _button("data-caption-again", number, photos, texts.CAPTION_AGAIN.format(title=captioner_title(captioner)), captioner)
    return f'<span class="remedies">{buttons}</span>'


def _button(act: str, number: int, photos: tuple[str, ...], words: str, captioner: str = "") -> str:
    """What it says is read out with the photos it is for."""
    by = f' data-captioner="{escape(captioner, quote=True)}"' if captioner else ""
    spoken = f"{words}: {', '.join(photos)}"
    return f'<button type="button" class="remedy" {act}="{number}"{by} data-photos="{escape(json.dumps(photos), quote=True)}" aria-label="{escape(spoken, quote=True)}">{escape(words)}</button>'


def read_pressed(text: str) -> Pressed:
    """Raises Refused for what no button says."""
    try:
        return Pressed.model_validate_json(text)
    except ValidationError:
        raise Refused("This button could not be read.", "", "Analyze again.") from None
