"""The rented pod stops when all is done, if somebody asks for it: off at first, with a countdown that anybody can call off."""

from __future__ import annotations

from html import escape

from core.pace import duration
from core.pod_stop import COUNTDOWN, PodStop, StopState
from ui.texts import frame as texts


def pod_stop_html(pod_stop: PodStop | None) -> str:
    """Nothing where there is no pod that can be stopped from inside."""
    return "" if pod_stop is None else f'<section class="pod-stop" aria-label="{texts.POD_TITLE}">{_shown(pod_stop.state())}</section>'


def _shown(state: StopState) -> str:
    keep = f'<button type="button" class="chip-button" data-do="pod-stay">{texts.POD_STAY}</button>'
    match state.kind:
        case "off":
            return f'<button type="button" class="chip-button" data-do="pod-stop">{texts.POD_ASK}</button><span class="small">{texts.POD_OFF.format(minutes=round(COUNTDOWN / 60))}</span>'
        case "waiting":
            return f"<b>{texts.POD_WAITING}</b><span>{escape(state.why)}</span>{keep}"
        case "counting":
            # A timer is not read aloud at every change; the heading beside it is, once.
            return f'<b role="alert">{texts.POD_COUNTING}</b><span role="timer" class="numbers">{duration(state.seconds_left)}</span>{keep}'
        case "stopping":
            return f'<b role="alert">{texts.POD_STOPPING}</b>'
        case "failed":
            return f'<b role="alert">{texts.POD_FAILED}</b><span>{escape(state.why)}</span>{keep}'
