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

LEVEL_WORDS = f"below {WEAK:.2f} not the person, from {WEAK:.2f} weak, from {GOOD:.2f} good, from {EXCELLENT:.2f} excellent; 1 is as alike as the photos are to each other"
SIGN_WORDS = {"undertrained": "Still learning", "overtrained": "Learning by heart", "copying": "Copying a photo"}
MOST_SHOWN = 1.2


def make_likeness_plot() -> gr.LinePlot:
    return gr.LinePlot(x="step", y="likeness", y_lim=[0, MOST_SHOWN], height=220, label="Likeness of the samples", buttons=[], visible=False, elem_id="likeness", color="curve", color_map={"samples": PLOT["likeness"]}, color_title=" ")


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
    return f'<div class="likeness"><p><b data-level="{_level(trained[-1])}">{escape(likeness_words(trained[-1]).capitalize())}</b> <span>at step {trained[-1].step}. {LEVEL_WORDS.capitalize()}.</span></p>{signs}</div>'


def early_html(early: StoppedEarly) -> str:
    """What stopping early kept and saved."""
    saved = f"about {duration(early.seconds_saved)}" + (f" and {early.money_saved:.2f} of what the machine costs" if early.money_saved is not None else "")
    return f"<p>Stopped early at step {early.step}, which saved {saved}. The LoRA is that of step {early.best_step}. {escape(early.reason)}</p>"


def _level(measured: LikenessMeasured) -> str:
    return level_of(measured.mean).replace(" ", "-") if measured.mean is not None else "unknown"


def _sign_html(sign: Sign) -> str:
    return f'<p class="sign {sign.name}"><b>{SIGN_WORDS[sign.name]}.</b> {escape(sign.sentence)}</p>'
