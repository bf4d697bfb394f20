"""The state of a run in one big line with what to do next, and its curves as frames: from the fold of its log."""

from __future__ import annotations

from html import escape

import pandas as pd

from core.pace import duration, silence_words
from core.runs import Run
from ui.likeness_view import early_html
from ui.palette import PLOT
from ui.run_view import RunView, plot_points
from ui.texts import training as texts


def state_of(view: RunView, live: bool) -> str:
    """What the log says, corrected by whether anybody still works on it."""
    if live:
        return "running"
    return "interrupted" if view.state in ("running", "new") else view.state


def plot_frame(view: RunView) -> pd.DataFrame:
    """Typed even when empty: the plot keeps the kind of axis it saw first."""
    return pd.DataFrame(plot_points(view), columns=["step", "loss", "curve"]).astype({"step": "int64", "loss": "float64", "curve": "str"})


def legend_html(view: RunView) -> str:
    """Names and colours of the curves that are drawn; the plot's own legend does not wrap, and is cut off on a phone."""
    drawn = {"step": view.losses.points, "smoothed": view.losses.points, "fixed": view.fixed_losses.points, "held_out": view.held_out_losses.points}
    keys = "".join(f'<span><i style="background: {PLOT[curve]}"></i>{curve}</span>' for name, curve in texts.CURVES.items() if drawn[name])
    return f'<p class="curves">{texts.PLOTS["loss"]}: {keys}</p>' if keys else ""


def rate_frame(view: RunView) -> pd.DataFrame:
    return pd.DataFrame(view.learning_rates.points, columns=["step", "learning rate"]).astype({"step": "int64", "learning rate": "float64"})


def bar_html(done: float, total: float, label: str) -> str:
    """A bar that is as full as it is done; it is stretched, not widened, so that nothing is laid out anew while it moves."""
    share = min(done / total, 1.0) if total else 0.0
    return f'<div class="bar" role="progressbar" aria-label="{label}" aria-valuenow="{100 * share:.0f}" aria-valuemin="0" aria-valuemax="100"><div style="transform: scaleX({share:.4f})"></div></div>'


def status_html(run: Run, view: RunView, state: str, stopping: bool, holder: str | None, quiet: float | None) -> str:
    """The one big line: state, step, speed, time left; below it what went wrong and what to do."""
    word = texts.STOPPING if stopping else texts.STATES[state]
    head = f'<div class="headline"><b data-state="{state}">{word}</b> <span>{escape(run.name)}</span></div><div class="facts">{" &middot; ".join(f"<span>{escape(fact)}</span>" for fact in _facts(view, state))}</div>'
    return f'<div class="status {state}" role="status" aria-live="polite">{head}{bar_html(view.step, view.steps, texts.BAR)}{_after(run, view, state, holder)}{_silence(view, quiet)}</div>'


def _facts(view: RunView, state: str) -> list[str]:
    facts = [texts.FACTS["step"].format(step=view.step, steps=view.steps)] if view.steps else []
    if state == "running" and view.phase and view.phase != "Training":
        facts.append(texts.FACTS["phase"].format(phase=view.phase, done=view.phase_done, total=view.phase_total) if view.phase_total else view.phase)
    if view.recent_seconds:
        facts.append(texts.FACTS["speed"].format(seconds=view.seconds_per_step))
    if state == "running" and view.seconds_left is not None:
        facts.append(texts.FACTS["left"].format(time=duration(view.seconds_left)))
    if view.losses.newest:
        facts.append(texts.FACTS["loss"].format(loss=view.losses.newest[1]))
    if view.memory_gib:
        facts.append(texts.FACTS["memory"].format(gib=view.memory_gib))
    if state in ("finished", "stopped"):
        facts.append(texts.FACTS["took"].format(time=duration(view.seconds)))
    return facts


def _silence(view: RunView, quiet: float | None) -> str:
    return f'<p class="failure">{escape(silence_words(quiet, view.seconds_per_step))}</p>' if quiet else ""


def _after(run: Run, view: RunView, state: str, holder: str | None) -> str:
    """What the person does next."""
    name = escape(run.name)
    if state == "failed" and view.failure:
        return f'<p class="failure"><b>{escape(view.failure.what)}</b><br>{escape(view.failure.fix)}</p>'
    if state == "interrupted":
        return f"<p>{texts.INTERRUPTED.format(kept=texts.KEPT_UP_TO.format(step=view.checkpoint) if view.checkpoint else texts.KEPT_NOTHING)}</p>"
    if state == "finished":
        return (early_html(view.early) if view.early else "") + f'<p>{texts.FINISHED_NEXT} <a href="lora/{name}.safetensors" download>{texts.DOWNLOAD_LORA.format(name=name)}</a></p>'
    if state == "stopped":
        return f'<p>{texts.STOPPED_NEXT} <a href="lora/{name}.safetensors" download>{texts.DOWNLOAD_SO_FAR}</a></p>'
    if state == "running" and view.warning:
        return f'<p class="note">{escape(view.warning)}</p>'
    if state != "running" and holder:
        return f"<p>{texts.RUNNING_NOW.format(job=escape(holder))}</p>"
    return ""
