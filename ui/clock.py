"""The page's clocks: what has changed is drawn once as the page opens, and from then on asked for by a script of ours.

A timer of Gradio's asks as well. But around each answer it tells every component that was ever part of any handler that one waits and is done, by a walk through all of the page: on two slow cores a third of one, for
a page that nobody touches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from ui.messages import QUIET


class Clocks:
    """Made once in a page, where it may stand; its hidden box holds the name that Gradio gave this page load."""

    def __init__(self, page: gr.Blocks) -> None:
        self._page = page
        self._page_load = gr.Textbox(visible="hidden", elem_id="page-load")
        page.load(_page_load, None, self._page_load, **QUIET)

    def every(self, seconds: float, draw: Callable[..., list[Any]], inputs: Sequence[gr.components.Component], outputs: Sequence[gr.components.Component]) -> None:
        """`draw` gets the values of `inputs` and returns those of `outputs`, `gr.skip()` for what has not changed; a window that is hidden does not ask."""
        drawn = self._page.load(draw, list(inputs), list(outputs), queue=False, **QUIET)
        gr.Timer(seconds).tick(None, [self._page_load, *inputs], list(outputs), js=f"(load, ...values) => window.drawAgain({drawn['id']}, load, values)", **QUIET)


def _page_load(request: gr.Request) -> str | None:
    return request.session_hash
