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
        self._was_lost = gr.Textbox(visible="hidden")
        page.load(_page_load, None, self._page_load, **QUIET)

    def every(self, seconds: float, draw: Callable[..., list[Any]], unseen: Callable[[tuple], tuple], seen: gr.State, inputs: Sequence[gr.components.Component], outputs: Sequence[gr.components.Component]) -> None:
        """`draw` gets what this page load has seen and the values of `inputs`; it returns what is seen now and the values of `outputs`, `gr.skip()` for what has not changed.

        Of an answer that never arrived the server believes that it was seen: the script says so when it asks the next time, and `draw` gets what `unseen` makes of that. A window that is hidden does not ask.
        """

        def draw_again(was_lost: str, last: tuple, *values: Any) -> list[Any]:
            return draw(unseen(last) if was_lost else last, *values)

        draw_again.__name__ = draw.__name__
        drawn = self._page.load(draw_again, [self._was_lost, seen, *inputs], [seen, *outputs], queue=False, **QUIET)
        gr.Timer(seconds).tick(None, [self._page_load, seen, *inputs], [seen, *outputs], js=f"(load, ...values) => window.drawAgain({drawn['id']}, load, values)", **QUIET)


def _page_load(request: gr.Request) -> str | None:
    return request.session_hash
