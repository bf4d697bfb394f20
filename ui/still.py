"""Gradio's page, with three of its habits mended for a tab that is open for hours.

Gradio makes a component anew for each answer that leaves it as it is, forty a second for an open tab. And a component that was made anew has a number of its own, under which it is kept a second time when it is
read as an input: a list that changes each second and is asked for each second filled the memory of its page load. Of each page load
it also keeps what every component showed last, plots with all their points: only links that share a state read that, and there are none here.
"""

from __future__ import annotations

import copy
from typing import Any

import gradio as gr
from gradio.blocks import BlockFunction
from gradio.state_holder import SessionState

SKIP = gr.skip()


class _NothingKept(dict):
    """In the place of what a page load showed: takes what it is given, and holds nothing."""

    def __contains__(self, key: object) -> bool:
        return True

    def __getitem__(self, key: int) -> dict[str, Any]:
        return {}

    def __setitem__(self, key: int, config: dict[str, Any]) -> None:
        pass


NOTHING_KEPT = _NothingKept()


class StillBlocks(gr.Blocks):
    """Gradio's page; what a handler skips is passed by, everything else goes Gradio's way."""

    async def postprocess_data(self, block_fn: BlockFunction, predictions: list | dict, state: SessionState | None) -> list[Any]:
        if state is not None:
            state.config_values = NOTHING_KEPT
        answers = await self._without_skipped(block_fn, predictions, state)
        for output in block_fn.outputs if state is not None else ():
            state.blocks_config.blocks.get(output._id, output)._id = output._id
        return answers

    async def _without_skipped(self, block_fn: BlockFunction, predictions: list | dict, state: SessionState | None) -> list[Any]:
        outputs = block_fn.outputs
        if not isinstance(predictions, list | tuple) or len(predictions) != len(outputs) or len(outputs) < 2 or block_fn.batch or block_fn.is_validator_function:
            return await super().postprocess_data(block_fn, predictions, state)
        moved = [place for place, (output, answer) in enumerate(zip(outputs, predictions, strict=True)) if output.stateful or answer != SKIP]
        answers = [gr.skip() for _ in outputs]
        if not moved:
            return answers
        part = copy.copy(block_fn)
        part.outputs = [outputs[place] for place in moved]
        values = [predictions[place] for place in moved]
        for place, answer in zip(moved, await super().postprocess_data(part, values if len(values) > 1 else values[0], state), strict=True):
            answers[place] = answer
        return answers
