"""Buttons inside our HTML: what they ask is granted, everything else is refused."""

import json

import gradio as gr
import pytest

from core.errors import UserError
from core.pod_stop import PodStop
from core.run_history import note_of
from core.runs import RunStore
from core.settings import parse_settings
from ui.acts import LONGEST_WISH, Acts, read_wish
from ui.studio import Studio


@pytest.fixture
def acts(tmp_path):
    studio = Studio(RunStore(tmp_path / "output"), {})
    with gr.Blocks():
        return Acts(studio, gr.Dropdown([]), gr.Dropdown([]))


def grant(acts, kind, what="", text=""):
    return acts.grant(json.dumps({"do": kind, "what": what, "text": text, "told": 1}))


def test_the_queue_is_changed_by_its_buttons(acts):
    queue = acts.studio.queue
    anna, berta = (queue.add(parse_settings({"run.name": name}), "fast") for name in ("anna", "berta"))
    grant(acts, "queue-down", anna.identity)
    assert [waiting.name for waiting in queue.read().waiting] == ["berta", "anna"]
    grant(acts, "queue-up", anna.identity)
    grant(acts, "queue-remove", berta.identity)
    assert [waiting.name for waiting in queue.read().waiting] == ["anna"]
    queue.hold("You stopped.")
    grant(acts, "queue-go-on")
    assert queue.read().held == ""
    grant(acts, "queue-clear")
    assert queue.read().waiting == ()


def test_runs_are_noted_deleted_and_brought_back(acts):
    store = acts.studio.store
    store.create(parse_settings({"run.name": "anna"}))
    grant(acts, "note", "anna", "the best")
    assert note_of(store.load("anna")) == "the best"
    grant(acts, "delete", "anna")
    assert store.names() == []
    grant(acts, "undo-delete", acts.studio.trash.listing()[0].identity)
    assert store.names() == ["anna"]
    grant(acts, "delete", "anna")
    grant(acts, "empty-trash")
    assert acts.studio.trash.listing() == [] and store.names() == []


def test_presets_are_chosen_by_the_path(acts):
    for kind, what, preset in (("choose-preset", "final", "final"), ("rehearse", "", "demo"), ("own", "", "fast")):
        assert grant(acts, kind, what)[1]["value"] == preset


def test_where_there_is_no_pod_none_is_stopped(acts):
    for kind in ("pod-stop", "pod-stay"):
        with pytest.raises(UserError, match="no pod here"):
            grant(acts, kind)


def test_the_pods_stop_is_asked_for_and_called_off_by_its_buttons_and_too_late_is_said(tmp_path):
    stopped: list[int] = []
    pod_stop = PodStop(lambda: stopped.append(1), lambda: "A job is running.", tick=0.01)
    with gr.Blocks():
        acts = Acts(Studio(RunStore(tmp_path / "output"), {}, pod_stop=pod_stop), gr.Dropdown([]), gr.Dropdown([]))
    assert pod_stop.state().kind == "off"
    grant(acts, "pod-stop")
    assert pod_stop.state().kind in ("waiting", "counting")
    grant(acts, "pod-stay")
    assert pod_stop.state().kind == "off" and stopped == []
    with pytest.raises(UserError, match="too late"):
        grant(acts, "pod-stay")


@pytest.mark.parametrize("kind", ["delete", "note", "resume", "undo-delete"])
@pytest.mark.parametrize("what", ["../../etc", "/etc/passwd", "", "nobody", "a" * 5000, "‮anna", "anna\x00"])
def test_names_of_no_listing_are_refused(acts, kind, what, tmp_path):
    with pytest.raises(UserError):
        grant(acts, kind, what, "x")
    assert not (tmp_path / "output" / ".trash").exists()


@pytest.mark.parametrize("text", ["{", "[]", "1", "null", '{"do": 1}', '{"do": "delete", "what": ["anna"]}', '{"do": "no-such-button"}', '{"do": "__class__"}', "x" * (LONGEST_WISH + 1), '{"do":"note","what":"' + "y" * LONGEST_WISH + '"}', "[" * LONGEST_WISH, '{"do":' * 1500])
def test_what_is_no_wish_is_refused(acts, text):
    with pytest.raises(UserError):
        acts.grant(text)
    assert read_wish('{"do": "x"}') == ("x", "", "")
