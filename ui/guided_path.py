"""The guided path on top of the page: where the person stands, what is next, each step a click; from what lies on disk, not from what was clicked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from core.analysis_tasks import kept_report, report_file
from core.errors import UserError
from core.evaluation.grid import evaluations_folder, grid_names, load_grid
from core.run_history import preset_of
from core.settings import POCKET_FLUX
from ui.studio import Studio, opened
from ui.texts import frame as texts

DEMO_FOLDER = "data/demo-subject"
# Tab and element a step leads to.
PLACES = {
    "photos": ("Dataset", "upload"), "check": ("Analyzer", "analyze"), "fast": ("Training", "start"), "demo": ("Training", "start"), "look": ("Evaluation", "draw"), "final": ("Training", "start"), "pick": ("Evaluation", "draw"),
    "own": ("Dataset", "upload"), "captions": ("Dataset", "caption"), "few": ("Dataset", "upload"), "recheck": ("Analyzer", "report"), "model": ("Training", "model-setup"), "running": ("Training", "run"), "done": ("Training", "history"),
}  # fmt: skip
FEWEST_PHOTOS = 15


@dataclass(frozen=True)
class Facts:
    """What lies on disk about the chosen person. `runs` maps each preset to the LoRA files of its ended runs on these photos; `gridded` are LoRA files with a grid."""

    is_rehearsal: bool
    photos: int = 0
    uncaptioned: int = 0
    verdict: str = ""
    has_model: bool = False
    running: str = ""
    runs: tuple[tuple[str, str], ...] = ()
    gridded: frozenset[str] = frozenset()

    def loras(self, preset: str) -> list[str]:
        return [lora for name, lora in self.runs if name == preset]

    def is_gridded(self, preset: str) -> bool:
        return any(lora in self.gridded for lora in self.loras(preset))


def done_steps(facts: Facts) -> dict[str, bool]:
    """Each step of the path and whether it is done."""
    photos = facts.photos > 0 if facts.is_rehearsal else facts.photos >= FEWEST_PHOTOS and not facts.uncaptioned
    check = bool(facts.verdict) and facts.verdict != "fix first"
    if facts.is_rehearsal:
        return {"photos": photos, "check": check, "demo": bool(facts.loras("demo")), "look": facts.is_gridded("demo"), "own": False}
    final = bool(facts.loras("final"))
    return {"photos": photos, "check": check, "fast": final or bool(facts.loras("fast")), "look": final or facts.is_gridded("fast"), "final": final, "pick": facts.is_gridded("final")}


def next_of(facts: Facts) -> str:
    """The one thing to do next, by its name in texts.PATH_NEXT."""
    if facts.running:
        return "running"
    step = next((step for step, done in done_steps(facts).items() if not done), "done")
    if step == "photos" and facts.photos:
        return "captions" if facts.uncaptioned else "few"
    if step == "check" and facts.verdict:
        return "recheck"
    if step in ("fast", "final") and not facts.has_model:
        return "model"
    return step


def path_html(facts: Facts) -> str:
    done = done_steps(facts)
    now = next((step for step, is_done in done.items() if not is_done), "")
    words = texts.REHEARSAL_STEPS if facts.is_rehearsal else texts.PATH_STEPS
    steps = "".join(_step(step, words[step], number, is_done, step == now) for number, (step, is_done) in enumerate(done.items(), 1))
    return f'<nav class="path" aria-label="{texts.PATH_TITLE}"><ol>{steps}</ol>{_next(facts)}</nav>'


def _step(step: str, word: str, number: int, is_done: bool, is_now: bool) -> str:
    tab, focus = PLACES[step]
    state = "done" if is_done else "now" if is_now else "later"
    current = ' aria-current="step"' if is_now else ""
    return f'<li class="{state}"><button type="button" data-go="{tab}" data-focus="{focus}"{current}><i aria-hidden="true">{"&#10003;" if is_done else number}</i><span>{word}<span class="sr-only">, {texts.STEP_STATES[state]}</span></span></button></li>'


def _next(facts: Facts) -> str:
    wish = next_of(facts)
    sentence, button = texts.PATH_NEXT[wish]
    sentence = escape(sentence.format(count=facts.uncaptioned if wish == "captions" else facts.photos, name=facts.running))
    tab, focus = PLACES[wish]
    act = f' data-do="choose-preset" data-what="{wish}"' if wish in ("fast", "final", "demo") else ' data-do="own"' if wish == "own" else ""
    other = _button("own", texts.PATH_NEXT["own"][1], "Dataset") if facts.is_rehearsal else _button("rehearse", texts.REHEARSE, "Dataset", texts.REHEARSE_HELP)
    other = "" if wish == "own" else other
    return f'<div class="next"><p role="status" aria-live="polite">{sentence}</p><button type="button" class="go" data-go="{tab}" data-focus="{focus}"{act}>{button}</button>{other}</div>'


def _button(act: str, word: str, tab: str, help: str = "") -> str:
    title = f' title="{escape(help, quote=True)}"' if help else ""
    return f'<button type="button" data-do="{act}" data-go="{tab}"{title}>{escape(word)}</button>'


class FactFinder:
    """Looks at the disk again only when something there has changed."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._known: dict[str, tuple[Any, Facts]] = {}

    def of(self, folder: str) -> Facts:
        mark = self._mark(folder)
        known = self._known.get(folder)
        if known is None or known[0] != mark:
            known = self._known[folder] = (mark, self._look(folder))
        return known[1]

    def _mark(self, folder: str) -> Any:
        """Changes with everything `_look` reads."""
        path, root = Path(folder), self._studio.store.root
        places = [path, path / "images", path / "captions", path / ".studio", report_file(folder, self._studio.store), evaluations_folder(root), root]
        times = [place.stat().st_mtime_ns if place.exists() else 0 for place in places]
        return times, tuple(self._studio.store.names()), self._studio.store.holder()

    def _look(self, folder: str) -> Facts:
        studio = self._studio
        samples = _or(lambda: opened(studio, folder).samples, ())
        report, _ = kept_report(folder, studio.store)
        return Facts(
            is_rehearsal=folder == DEMO_FOLDER,
            photos=len(samples),
            uncaptioned=sum(1 for sample in samples if not (sample.caption and sample.caption.text)),
            verdict=report.verdict if report and samples else "",
            has_model=any(model != POCKET_FLUX for model in studio.listing("model")),
            running=studio.store.training_now() or "",
            runs=tuple(_runs_on(folder, studio)),
            gridded=frozenset(filter(None, (_or(lambda name=name: load_grid(name, studio.store.root).request.lora, "") for name in grid_names(studio.store.root)))),
        )


def _runs_on(folder: str, studio: Studio) -> list[tuple[str, str]]:
    found = []
    for name in studio.store.names():
        run = _or(lambda name=name: studio.store.load(name), None)
        if run is not None and run.lora_file.is_file() and Path(run.settings.dataset.folder) == Path(folder) and _or(lambda run=run: studio.accounts.of(run).ended, "") == "finished":
            found.append((preset_of(run), run.lora_file.name))
    return found


def _or(look: Callable[[], Any], otherwise: Any) -> Any:
    """What cannot be read counts as not there: the tab it belongs to says what is wrong with it."""
    try:
        return look()
    except UserError:
        return otherwise
