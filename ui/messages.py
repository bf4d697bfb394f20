"""What every handler of the page has in common: its errors in the words a person reads, and no noise around it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from core.durable import is_text
from core.errors import Refused, UserError
from ui.texts import frame as texts

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}


def shows_errors(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A UserError in a handler becomes a message on the page; anything else stays a fault and is logged. Text that could not be shown again does not reach it."""

    @functools.wraps(handler)
    def handle(*inputs: Any) -> Any:
        try:
            _require_text(inputs)
            return handler(*inputs)
        except UserError as error:
            raise gr.Error(as_html(error), title=texts.REFUSED_TITLE, duration=20, print_exception=False) from None

    return handle


def _require_text(inputs: tuple[Any, ...]) -> None:
    for value in inputs:
        if isinstance(value, str) and not is_text(value):
            raise Refused(texts.HALF_CHARACTER, value.encode("utf-8", "replace").decode()[:80], texts.HALF_CHARACTER_FIX)


def as_html(error: UserError) -> str:
    lines = [escape(error.what)]
    if error.where:
        lines.append(f"<small>{texts.REFUSED_WHERE.format(where=escape(error.where))}</small>")
    if error.fix:
        lines.append(f"<b>{escape(error.fix)}</b>")
    return "<br>".join(lines)
