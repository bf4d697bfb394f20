"""The recommendation as a job on the pocket FLUX: two stages, written into file and card; the twin; several runs in one table."""

import json
import re
import shutil

import pytest
import safetensors
import torch

from core.errors import Refused
from core.evaluation.choice import first_look_name, load_choice, sources_of
from core.evaluation.compare import as_json, as_text, evaluations_of, headline_words, table_rows
from core.evaluation.evaluate import evaluate
from core.evaluation.grid import GridRequest, load_grid
from core.evaluation.job import EvaluationJob, grid_request, load_job, save_job
from core.evaluation.perform import perform
from core.evaluation.prompts import Prompt
from core.evaluation.publish import publish
from core.evaluation.recommend import Candidate, Recommendation
from core.evaluation.scores import load_scores
from core.evaluation.twin import compare_twins, load_twins
from core.events import RunFinished, RunStopped
from core.flux.lora_file import load_lora_weights, read_lora_header
from core.runs import RunStore
from core.settings import POCKET_FLUX, EvaluationSettings
from tests.conftest import short_settings
from tests.core.scores import picture, table
from tests.core.training import go, run_of

PROMPTS = ("portrait of ohwx person, wearing a red shirt, on a beach, front view, soft light", "portrait of person, wearing a blue shirt, in a park, front view, soft light")


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    """One run of four steps with a checkpoint at the second, for all tests here."""
    found = run_of(short_settings(photos, tmp_path_factory.mktemp("trained") / "output", train__keep_checkpoints=9))
    go(found)
    return found


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained.output, tmp_path / "output")
    return RunStore(tmp_path / "output").load(trained.name)


def request(run, **changes):
    known = {"lora": run.lora_file.name, "model_path": POCKET_FLUX, "prompts": PROMPTS, "kinds": ("front", "class"), "dataset": run.settings.dataset.folder, "trigger_word": "ohwx", "class_word": "person"}
    return GridRequest(**known | {"strengths": (0.8, 1.0), "width": 64, "height": 64, "num_inference_steps": 1, **changes})


def never():
    return False


def test_checkpoints_are_looked_at_first_and_the_best_ones_again(run, tmp_path):
    job = EvaluationJob(aim="choose", request=request(run))
    events = list(perform(job, "c", run.output, never, tmp_path / "cache"))
    first, closer = load_grid(first_look_name("c"), run.output), load_grid("c", run.output)
    assert isinstance(events[-1], RunFinished) and sum(isinstance(event, RunFinished) for event in events) == 1
    assert first.request.sources == ("step-000002", "final") and first.request.prompts == PROMPTS[:1] and first.request.strengths == (0.0, 1.0)
    assert closer.request.prompts == PROMPTS and closer.request.strengths == (0.0, 0.8, 1.0) and closer.request.seeds_each == 2
    choice = load_choice("c", run.output)
    assert len(choice.recommendation.candidates) == 4 and {candidate.step for candidate in choice.recommendation.candidates} == {2, 4}
    assert choice.recommendation.chosen is None and choice.file == "" and "None is good enough" in choice.recommendation.why
    assert sources_of(run.lora_file.name, run.output) == {"step-000002": 2, "final": 4}


def test_a_stopped_recommendation_goes_on_in_the_stage_it_was_in(run, tmp_path):
    job = EvaluationJob(aim="choose", request=request(run, strengths=(1.0,)))
    save_job(job, "c", run.output)
    first = run.output / "evaluations" / first_look_name("c")
    events = list(perform(job, "c", run.output, lambda: (first / "row-01-strength-1.png").exists(), tmp_path / "cache"))
    assert isinstance(events[-1], RunStopped) and not load_grid(first_look_name("c"), run.output).finished
    assert isinstance(list(perform(load_job("c", run.output), "c", run.output, never, tmp_path / "cache"))[-1], RunFinished)
    assert load_choice("c", run.output) is not None


def scored(run, tmp_path, sources):
    list(evaluate(request(run, sources=sources, strengths=(0.0, 0.8)), "g", run.output, never, tmp_path / "cache"))
    return load_grid("g", run.output), load_scores("g", run.output)


@pytest.mark.parametrize(("source", "step", "name"), [("final", 4, "short.safetensors"), ("step-000002", 2, "short-step-000002.safetensors")])
def test_the_choice_is_written_into_metadata_and_card_and_the_weights_are_those_of_the_checkpoint(run, tmp_path, source, step, name):
    before = load_lora_weights(read_lora_header(run.lora_file))
    grid, scores = scored(run, tmp_path, (source,))
    chosen = Candidate(source=source, step=step, strength=0.8, score=0.9, error=0.02, behind=0.0, likeness=0.86, likeness_error=0.03)
    found = Recommendation(chosen=chosen, runner_up=None, least_bad=None, margin=None, why="It has the highest score.", candidates=(chosen,))
    assert publish(found, scores, grid, run.output) == name
    file = read_lora_header(run.output / name)
    assert file.own["recommended"] == {"strength": 0.8, "likeness": 0.86, "likeness_error": 0.03} and file.own["step"] == step and file.trigger_word == "ohwx"
    weights = load_lora_weights(file)
    assert "strength 0.8" in file.metadata["modelspec.usage_hint"] and "ohwx" in file.metadata["modelspec.usage_hint"]
    assert all(torch.equal(weights[key], before[key]) for key in before) is (source == "final")
    card = (run.output / name).with_suffix(".md").read_text()
    assert "strength 0.8" in card and "`ohwx`" in card and "0.86 +- 0.03" in card and "| lora.rank | 4 |" in card and "Not measured: skin detail" in card
    with safetensors.safe_open(run.output / name, "pt") as opened:
        said = card + json.dumps(opened.metadata())
    assert not re.search(rf"{re.escape(str(tmp_path))}|/photos|{re.escape(run.settings.dataset.folder)}|presets/pocket", said)


def test_the_card_shows_pictures_only_when_asked_and_takes_them_back(run, tmp_path):
    grid, scores = scored(run, tmp_path, ("final",))
    chosen = Candidate(source="final", step=4, strength=0.8, score=0.9, error=0.02, behind=0.0, likeness=0.86, likeness_error=0.03)
    found = Recommendation(chosen=chosen, runner_up=None, least_bad=None, margin=None, why="It has the highest score.", candidates=(chosen,))
    card, picture = run.lora_file.with_suffix(".md"), run.output / "short-grid.png"
    assert grid_request(run.settings, run.lora_file.name, [Prompt("a")], (1.0,)).card_grid is False
    publish(found, scores, grid, run.output)
    assert "![" not in card.read_text() and not picture.exists()
    asked = grid_request(run.settings, run.lora_file.name, [Prompt("a")], (1.0,), EvaluationSettings(card_grid=True)).card_grid
    publish(found, scores, grid.model_copy(update={"request": grid.request.model_copy(update={"card_grid": asked})}), run.output)
    assert "(<short-grid.png>)" in card.read_text() and picture.read_bytes() == (run.output / "evaluations" / "g" / "grid.png").read_bytes()
    publish(found, scores, grid, run.output)
    assert "![" not in card.read_text() and not picture.exists()


def test_a_lora_without_text_encoder_has_no_twin(run, tmp_path):
    with pytest.raises(Refused, match="no text-encoder part"):
        list(perform(EvaluationJob(aim="twins", request=request(run)), "t", run.output, never, tmp_path / "cache"))


def test_twins_are_drawn_on_the_same_seeds_and_compared_in_a_sentence(short_run, tmp_path):
    run = run_of(short_run(text_encoder__enabled=1, optimizer__learning_rate=0.02))
    go(run)
    list(perform(EvaluationJob(aim="twins", request=request(run, seeds_each=2)), "t", run.output, never, tmp_path / "cache"))
    verdict = load_twins("t", run.output)
    assert verdict.pictures == 2 and "text encoder" in verdict.sentence and load_grid("t", run.output).request.sources == ("final", "transformer-only")
    with_it, without = (run.output / "evaluations" / "t" / load_grid("t", run.output).cell(row, 1.0).file for row in (0, 1))
    assert with_it.read_bytes() != without.read_bytes()


@pytest.mark.parametrize(("difference", "word"), [(0.2, "helped"), (-0.2, "harmed"), (0.0, "no difference")])
def test_a_twin_is_better_only_beyond_its_noise(difference, word):
    def noise(p, s):
        return 0.03 if (p + s) % 2 else -0.03

    cells = {("final", 1.0): lambda p, s: picture(p, s, "final", 1.0, 0.7 + difference + noise(p, s)), ("transformer-only", 1.0): lambda p, s: picture(p, s, "transformer-only", 1.0, 0.7)}
    verdict = compare_twins(table(cells), 1.0)
    assert word in verdict.sentence and verdict.likeness == pytest.approx(difference) and verdict.pictures == 8
    assert "followed as well without it" in verdict.sentence


def test_several_runs_stand_in_one_table_as_text_and_json(run, tmp_path):
    list(evaluate(request(run, strengths=(0.0, 1.0)), "one", run.output, never, tmp_path / "cache"))
    list(evaluate(request(run, strengths=(0.0, 0.5)), "two", run.output, never, tmp_path / "cache"))
    found = evaluations_of(["one", run.name], run.output)
    assert [evaluation.grid.name for evaluation in found] == ["one", "two"]
    lines = as_text(table_rows(found)).splitlines()
    assert lines[0].split() == ["evaluation", "one", "two"] and lines[2].split() == ["strength", "1.0", "0.5"]
    value = as_json(found)[0]["configurations"][0]["measures"][0]["value"]
    assert f"{value:.2f}" in lines[3] and f"{value:.2f}" in headline_words(found[0])
    with pytest.raises(Exception, match="neither an evaluation nor a run"):
        evaluations_of(["nobody"], run.output)
