"""The grid of photos: thumbnails with captions and marks, and what is picked in it; photos.js moves, selects and tells."""

from __future__ import annotations

import hashlib
from html import escape
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from core.analyzer.report import AnalysisReport
from core.dataset.captions import has_trigger
from core.dataset.folder import Dataset, Sample
from ui.pictures import nothing_yet, photo_address
from ui.texts import dataset as texts

GRID_SIDE = 256


class Picked(BaseModel):
    """What the browser says is picked: the photo that is looked at, and those that are selected. Names are checked where they are used."""

    model_config = ConfigDict(frozen=True)

    current: str | None = None
    selected: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The selected photos, or the one that is looked at."""
        return list(self.selected) or ([self.current] if self.current else [])


def read_picked(text: str | None) -> Picked:
    try:
        return Picked.model_validate_json(text or "{}")
    except ValidationError:
        return Picked()


def photo_grid(dataset: Dataset, trigger_word: str, report: AnalysisReport | None, analyzed: float) -> str:
    """All photos, excluded ones last; `analyzed` is when the report was made, so that a photo changed since carries none of its marks."""
    if not dataset.samples and not dataset.excluded:
        return nothing_yet(texts.NO_PHOTOS)
    findings = _marks_of(report) if report else {}
    figures = [_photo(dataset, sample, _marks(sample, trigger_word, findings if _is_older(sample, analyzed) else {})) for sample in dataset.samples]
    figures += [_photo(dataset, sample, [texts.MARKS["excluded"]]) for sample in dataset.excluded]
    drawn = hashlib.sha256("".join(figures).encode()).hexdigest()[:12]
    bar = f'<p class="pick-bar"><button type="button" id="pick-all">{texts.SELECT_ALL}</button> <button type="button" id="pick-none">{texts.SELECT_NONE}</button> <span id="pick-count" role="status"></span></p>'
    return f'{bar}<div class="photos" data-drawn="{drawn}" role="listbox" aria-multiselectable="true" aria-label="{texts.GRID_LABEL.format(help=texts.GRID_HELP)}">{"".join(figures)}</div><p class="pick-help">{texts.GRID_HELP}</p>'


def _photo(dataset: Dataset, sample: Sample, marks: list[str]) -> str:
    caption = sample.caption.text if sample.caption else ""
    name = escape(sample.name, quote=True)
    shown = "".join(f'<span class="mark{" aside" if mark == texts.MARKS["excluded"] else ""}">{escape(mark)}</span>' for mark in marks)
    image = f'<img loading="lazy" src="{escape(photo_address(str(dataset.folder), sample, GRID_SIDE), quote=True)}" alt="" draggable="false">'
    aside = ' class="aside"' if texts.MARKS["excluded"] in marks else ""
    return (
        f'<figure role="option" aria-selected="false" tabindex="-1" data-name="{name}"{aside}>{image}<span class="pick" aria-hidden="true"></span>'
        f"<figcaption><b>{name}</b>{shown}<span>{escape(caption) or '&mdash;'}</span></figcaption></figure>"
    )


def _marks(sample: Sample, trigger_word: str, findings: dict[str, list[str]]) -> list[str]:
    caption = sample.caption.text if sample.caption else ""
    fault = texts.MARKS["none"] if not caption else texts.MARKS["trigger"] if not has_trigger(caption, trigger_word) else ""
    found = [check for check in findings.get(sample.name, []) if check not in ("caption", "trigger")]
    return [*([fault] if fault else []), *dict.fromkeys(texts.CHECK_MARKS.get(check, check) for check in found)]


def _marks_of(report: AnalysisReport) -> dict[str, list[str]]:
    """Names of checks that found an error or warning, by photo."""
    marks: dict[str, list[str]] = {}
    for finding in report.findings:
        for name in finding.photos if finding.severity != "note" else ():
            marks.setdefault(name, []).append(finding.check)
    return marks


def _is_older(sample: Sample, analyzed: float) -> bool:
    files = [file for file in (sample.image, sample.caption_file) if file.exists()]
    return all(_changed(file) <= analyzed for file in files)


def _changed(file: Path) -> float:
    return file.stat().st_mtime
