import pytest

import ui.studio as studio_module
from core.evaluation.grid import GridRequest, StrengthGrid, save_grid
from core.events import RunFinished, RunStarted
from core.runs import RunStore, training_words
from core.settings import parse_settings
from ui.guided_path import FactFinder, Facts, done_steps, next_of, path_html
from ui.studio import Studio

READY = Facts(False, photos=20, verdict="ready", has_model=True)


def with_(facts, **changes):
    return Facts(**{**{name: getattr(facts, name) for name in Facts.__dataclass_fields__}, **changes})


@pytest.mark.parametrize(
    ("facts", "wish"),
    [
        (Facts(False), "photos"),
        (Facts(False, photos=4), "few"),
        (Facts(False, photos=20, uncaptioned=3), "captions"),
        (Facts(False, photos=20), "check"),
        (Facts(False, photos=20, verdict="fix first"), "recheck"),
        (with_(READY, has_model=False), "model"),
        (with_(READY, verdict="train for a test"), "fast"),
        (READY, "fast"),
        (with_(READY, running="anna"), "running"),
        (with_(READY, runs=(("fast", "a.safetensors"),)), "look"),
        (with_(READY, runs=(("fast", "a.safetensors"),), gridded=frozenset({"a.safetensors"})), "final"),
        (with_(READY, runs=(("final", "b.safetensors"),)), "pick"),
        (with_(READY, runs=(("final", "b.safetensors"),), gridded=frozenset({"b.safetensors"})), "done"),
        (Facts(True, photos=18), "check"),
        (Facts(True, photos=18, verdict="ready"), "demo"),
        (Facts(True, photos=18, verdict="ready", runs=(("demo", "d.safetensors"),)), "look"),
        (Facts(True, photos=18, verdict="ready", runs=(("demo", "d.safetensors"),), gridded=frozenset({"d.safetensors"})), "own"),
    ],
)
def test_what_is_next_follows_from_what_lies_there(facts, wish):
    assert next_of(facts) == wish
    html = path_html(facts)
    assert html.count("<li") == len(done_steps(facts)) and html.count('aria-current="step"') == (0 if wish == "done" else 1)


def test_a_step_done_out_of_order_does_not_hide_what_was_left_out():
    facts = Facts(False, photos=20, runs=(("final", "b.safetensors"),), has_model=True)
    assert next_of(facts) == "check" and done_steps(facts)["final"]


def test_names_are_shown_as_text():
    assert "<img" not in path_html(with_(READY, running='"><img src=x>'))


@pytest.fixture
def studio(tmp_path, photos, monkeypatch):
    store = RunStore(tmp_path / "output")
    store.root.mkdir()
    found = Studio(store, {"DATA_DIR": str(photos)})
    monkeypatch.setattr(studio_module, "downloaded", lambda: ["black-forest-labs/FLUX.1-dev"])
    return found


def test_facts_are_read_from_the_disk_and_anew_when_something_changes(studio, photos):
    finder = FactFinder(studio)
    facts = finder.of(str(photos))
    assert (facts.photos, facts.uncaptioned, facts.has_model, facts.runs, facts.is_rehearsal) == (6, 0, True, (), False)
    run = studio.store.create(parse_settings({"run.name": "anna", "dataset.folder": str(photos)}), "fast")
    run.log.append(RunStarted(job="train", name="anna", steps=1))
    with studio.store.exclusive(training_words("anna")):
        assert finder.of(str(photos)).running == "anna"
    run.log.append(RunFinished(seconds=1.0))
    run.lora_file.write_bytes(b"x")
    assert finder.of(str(photos)).runs == (("fast", "anna.safetensors"),)
    save_grid(StrengthGrid(name="g", request=GridRequest(lora="anna.safetensors", model_path="x", prompts=("a",))), studio.store.root)
    assert finder.of(str(photos)).gridded == {"anna.safetensors"}
    assert finder.of("").photos == 0
