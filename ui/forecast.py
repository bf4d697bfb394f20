"""The forecast before Start: minutes, memory by phase, disk and price of the chosen settings, worked out aside of the page."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from core.events import RunFailed
from core.jobs import attempt
from core.pace import cost, duration
from core.settings import Settings
from core.tasks import prospect
from core.training.prospect import Prospect
from ui.texts import training as texts

GIB = 2**30
MOST_KEPT = 64


@dataclass(frozen=True)
class Trouble:
    """Why there is no forecast: what a start would refuse too."""

    what: str
    fix: str


Answer = Prospect | Trouble
Compute = Callable[[Settings, dict[str, float]], Prospect]


class ForecastDesk:
    """Works on one question at a time, the newest; answers are kept. Heavy libraries load on its thread at the first question."""

    def __init__(self, is_busy: Callable[[], bool], compute: Compute = prospect) -> None:
        self._is_busy = is_busy
        self._compute = compute
        self._changing = threading.Lock()
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._speeds: dict[str, float] = {}
        self._wanted: Settings | None = None
        self._works = False

    def ask(self, settings: Settings) -> Answer | None:
        """None while it is worked out: ask again. While the device is busy, only what is known already."""
        question = _question(settings)
        with self._changing:
            if question in self._answers:
                self._answers.move_to_end(question)
                return self._answers[question]
            if self._is_busy():
                return Trouble(texts.FORECAST_BUSY, "")
            self._wanted = settings
            if not self._works:
                self._works = True
                threading.Thread(target=self._work, name="forecast", daemon=True).start()
        return None

    def _work(self) -> None:
        while True:
            with self._changing:
                settings, self._wanted = self._wanted, None
                if settings is None:
                    self._works = False
                    return
            answer = self._answer(settings)
            with self._changing:
                self._answers[_question(settings)] = answer
                while len(self._answers) > MOST_KEPT:
                    self._answers.popitem(last=False)

    def _answer(self, settings: Settings) -> Answer:
        answer = attempt(lambda: self._compute(settings, self._speeds))
        return Trouble(answer.what, answer.fix) if isinstance(answer, RunFailed) else answer


def _question(settings: Settings) -> str:
    """The settings without the run's name and what an hour costs, which change no figure, and when the photos last changed."""
    folder = Path(settings.dataset.folder)
    places = (folder, folder / "images", folder / "captions")
    changed = [place.stat().st_mtime_ns for place in places if place.is_dir()]
    run = settings.run.model_copy(update={"name": "", "price_per_hour": 0.0})
    return f"{settings.model_copy(update={'run': run}).model_dump_json()} {changed}"


def forecast_html(answer: Answer | None, price_per_hour: float = 0.0) -> str:
    """The height stays the same while it is worked out and when it is there."""
    if answer is None:
        return _card(f'<p class="trouble" aria-busy="true">{texts.FORECAST_WORKING}</p>', "")
    if isinstance(answer, Trouble):
        return _card(f'<p class="trouble">{escape(answer.what)}<br>{escape(answer.fix)}</p>', "")
    samples = f" <small>{texts.FORECAST_SAMPLES.format(time=duration(answer.sample_seconds))}</small>" if answer.sample_seconds else ""
    time = f"<b>{texts.FORECAST_TIME.format(time=duration(answer.step_seconds))}</b>{samples}<br><small>{texts.FORECAST_ROUGH}</small>"
    disk = texts.FORECAST_DISK.format(disk=_gib(answer.disk), free=_gib(answer.disk_free))
    shown = {"time": time, "price": _price(answer, price_per_hour), "memory": _phases(answer), "disk": disk}
    rows = "".join(f"<dt>{texts.FORECAST_ROWS[row]}</dt><dd>{words}</dd>" for row, words in shown.items())
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in answer.notes)
    return _card(f'<dl data-seconds="{answer.seconds:.0f}">{rows}</dl>', notes)


def _card(body: str, notes: str) -> str:
    return f'<section class="card forecast" aria-label="{texts.FORECAST_TITLE}"><h3>{texts.FORECAST_TITLE}</h3>{body}{notes}</section>'


def _price(answer: Prospect, price_per_hour: float) -> str:
    price = cost(answer.seconds, price_per_hour)
    if price is None:
        return f"<small>{texts.PRICE_NONE}</small>"
    return f"<b>{texts.PRICE_LEAST}</b>" if price < 0.01 else f"<b>{texts.PRICE_ABOUT.format(price=price)}</b>"


def _phases(answer: Prospect) -> str:
    """The peak of each phase beside the memory that is free; phases come one after the other, so the largest counts."""
    free = max(answer.memory_free, 1)
    rows = "".join(
        f'<span>{texts.PHASES[phase]}</span><meter min="0" max="1" high=".9" optimum="0" value="{min(1.0, peak / free):.3f}" aria-hidden="true"></meter><span>{_gib(peak)}</span>' for phase, peak in answer.peaks.items()
    )
    return f'{texts.FORECAST_MEMORY.format(peak=_gib(max(answer.peaks.values())), free=_gib(answer.memory_free))}<div class="phases">{rows}</div>'


def _gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB" if size >= GIB / 10 else f"{size / 2**20:.0f} MiB"
