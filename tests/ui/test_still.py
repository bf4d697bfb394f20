"""What a handler skips stays as it is and costs nothing, and the browser is told what Gradio would tell it."""

import asyncio
import copy
from types import SimpleNamespace

import gradio as gr
import pandas as pd
import pytest
from gradio.state_holder import SessionState

from ui.still import StillBlocks


@pytest.fixture
def page():
    with StillBlocks() as blocks:
        outputs = [gr.State(0), gr.HTML("a"), gr.Dropdown(["x", "y"]), gr.Textbox("t"), gr.LinePlot(x="step", y="loss")]
        gr.Button().click(lambda text: None, outputs[3], outputs)
    return SimpleNamespace(blocks=blocks, handler=next(iter(blocks.fns.values())), outputs=outputs)


FRAME = pd.DataFrame({"step": [1], "loss": [0.5]})
ANSWERS = [
    [1, gr.skip(), gr.skip(), gr.skip(), gr.skip()], [gr.skip(), "b", gr.update(choices=["z"], value="z"), gr.skip(), gr.update(value=FRAME, visible=True)], [2, "b", gr.skip(), "", gr.skip()], [gr.skip()] * 5,
    [3, "", gr.update(interactive=False), None, gr.update(visible=False)],
]  # fmt: skip


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_browser_gets_what_gradio_would_send_and_the_server_keeps_the_same_state(page, answer):
    ours, theirs = SessionState(page.blocks), SessionState(page.blocks)
    sent = asyncio.run(page.blocks.postprocess_data(page.handler, copy.deepcopy(answer), ours))
    assert plain(sent) == plain(asyncio.run(gr.Blocks.postprocess_data(page.blocks, page.handler, copy.deepcopy(answer), theirs)))
    assert ours[page.outputs[0]._id] == theirs[page.outputs[0]._id]
    assert ours[page.outputs[2]._id].choices == theirs[page.outputs[2]._id].choices


NO_PROPS = ("props", {"__type__": "update"})


def plain(values):
    """Data of plots is a model of Gradio's, compared as what is sent; of a skipped HTML component Gradio says besides that none of its properties changes."""
    inner = [{key: part for key, part in value.items() if (key, part) != NO_PROPS} if isinstance(value, dict) else value for value in values]
    return [value.model_dump() if hasattr(value, "model_dump") else dict(zip(value, plain(value.values()), strict=True)) if isinstance(value, dict) else value for value in inner]


def test_a_skipped_component_is_not_made_anew(page):
    state = SessionState(page.blocks)
    asyncio.run(page.blocks.postprocess_data(page.handler, [1, gr.skip(), gr.skip(), "new", gr.skip()], state))
    assert all(state[one._id] is one for one in page.outputs[1:])
    changed = asyncio.run(page.blocks.postprocess_data(page.handler, [1, gr.skip(), gr.update(choices=["q"]), gr.skip(), gr.skip()], state))
    assert state[page.outputs[2]._id] is not page.outputs[2] and list(changed[2]["choices"][0]) == ["q", "q"]


def test_a_component_that_is_changed_and_read_again_and_again_is_kept_once():
    with StillBlocks() as blocks:
        chosen, words = gr.Dropdown(["x"]), gr.HTML()
        gr.Button().click(lambda chosen: None, chosen, [chosen, words])
        gr.Button().click(lambda chosen: None, chosen, chosen)
    state = SessionState(blocks)
    before = len(state.blocks_config.blocks)
    for number in range(5):
        for handler, answer in zip(blocks.fns.values(), ([gr.update(choices=[f"run-{number}"]), gr.skip()], gr.update(choices=["x", f"run-{number}"])), strict=True):
            asyncio.run(blocks.preprocess_data(handler, [None], state))
            asyncio.run(blocks.postprocess_data(handler, answer, state))
    assert len(state.blocks_config.blocks) == before and [value for _, value in state[chosen._id].choices] == ["x", "run-4"]


def test_what_a_component_showed_is_not_kept_for_each_page_load(page):
    state = SessionState(page.blocks)
    asyncio.run(page.blocks.postprocess_data(page.handler, [1, "shown", gr.update(choices=["z"]), "shown", gr.update(value=FRAME, visible=True)], state))
    asyncio.run(page.blocks.preprocess_data(page.handler, ["typed"], state))
    assert list(state.components) == [] and state[page.outputs[0]._id] == 1 and state[page.outputs[4]._id].visible


def test_the_page_is_made_of_them(running):
    assert isinstance(running.gradio.get_blocks(), StillBlocks)
