"""How alike the samples are, as a curve beside the loss, a word for it, and the early signs: drawn from the log, so that a reload shows the same."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import gradio as gr
import pandas as pd

from core.events import LikenessMeasured, RunEvent, StoppedEarly
from core.pace import duration
from core.signs import EXCELLENT, GOOD, WEAK, Sign, level_of, signs_of
from ui.palette import PLOT
from ui.run_view import RunView, likeness_words
from ui.texts import training as texts

LEVELS = texts.LIKENESS_LEVELS.format(weak=WEAK, good=GOOD, excellent=EXCELLENT)
MOST_SHOWN = 1.2


def make_likeness_plot() -> gr.LinePlot:
    return gr.LinePlot(x="step", y="likeness", y_lim=[0, MOST_SHOWN], height=250, label=texts.PLOTS["likeness"], buttons=[], visible=False, elem_id="likeness", color="curve", color_map={"samples": PLOT["likeness"]}, colors_in_legend=[])


def likeness_frame(view: RunView) -> pd.DataFrame:
    """Typed even when empty: the plot keeps the kind of axis it saw first."""
    points = [(measured.step, min(max(measured.mean, 0.0), MOST_SHOWN), "samples") for measured in view.likenesses if measured.mean is not None]
    return pd.DataFrame(points, columns=["step", "likeness", "curve"]).astype({"step": "int64", "likeness": "float64", "curve": "str"})


def likeness_html(view: RunView, events: Sequence[RunEvent]) -> str:
    """The level of the last samples in words, and every early sign with its number; empty before the first samples of the LoRA."""
    trained = [measured for measured in view.likenesses if measured.step]
    if not trained:
        return ""
    signs = "".join(_sign_html(sign) for sign in signs_of(events, view.steps))
    return f'<div class="likeness"><p><b data-level="{_level(trained[-1])}">{escape(likeness_words(trained[-1]).capitalize())}</b> <span>{texts.LIKENESS_AT.format(step=trained[-1].step)} {LEVELS}</span></p>{signs}</div>'


def early_html(early: StoppedEarly) -> str:
    """What stopping early kept and saved."""
    saved = texts.SAVED_TIME.format(time=duration(early.seconds_saved)) + (texts.SAVED_MONEY.format(money=early.money_saved) if early.money_saved is not None else "")
    return f"<p>{texts.STOPPED_EARLY.format(step=early.step, saved=saved, best=early.best_step, reason=escape(early.reason))}</p>"


def _level(measured: LikenessMeasured) -> str:
    return level_of(measured.mean).replace(" ", "-") if measured.mean is not None else "unknown"


def _sign_html(sign: Sign) -> str:
    return f'<p class="sign {sign.name}"><b>{texts.SIGNS[sign.name]}.</b> {escape(sign.sentence)}</p>'
