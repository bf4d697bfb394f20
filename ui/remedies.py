"""The buttons of a report that do what a finding proposes; photos.js says which was pressed."""

from __future__ import annotations

import json
from html import escape

from pydantic import BaseModel, ConfigDict, ValidationError

from core.analyzer.report import Finding
from core.errors import Refused
from ui.texts import analyzer as texts


class Pressed(BaseModel):
    """Which finding of the report, by number, and which of its photos."""

    model_config = ConfigDict(frozen=True)

    finding: int
    photos: tuple[str, ...]


def remedy_button(number: int, finding: Finding, photos: tuple[str, ...]) -> str:
    """Nothing where a click can do nothing."""
    if finding.remedy is None or not photos:
        return ""
    words = texts.REMEDIES[finding.remedy]
    spoken = f"{words}: {', '.join(photos)}"
    return f'<button type="button" class="remedy" data-remedy="{number}" data-photos="{escape(json.dumps(photos), quote=True)}" aria-label="{escape(spoken, quote=True)}">{words}</button>'


def read_pressed(text: str) -> Pressed:
    """Raises Refused for what no button says."""
    try:
        return Pressed.model_validate_json(text)
    except ValidationError:
        raise Refused("This button could not be read.", "", "Analyze again.") from None
