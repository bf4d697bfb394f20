"""Strength grids: what is drawn, kept, refused; the sheet; stop keeps finished rows."""

import io
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

import core.evaluation.draw as draw_module
import core.evaluation.evaluate as evaluate_module
from core.errors import Refused, UserError
from core.evaluation.grid import GridRequest, evaluations_folder, grid_names, load_grid, parse_strengths
from core.evaluation.prompts import Prompt, fill, parse_prompts, read_prompts
from core.evaluation.sheet import draw_sheet
from core.events import ImageSaved, RunFinished, RunStopped, Warned
from core.flux.lora import add_lora, lora_weights, set_lora_weights
from core.flux.lora_file import save_lora_file
from core.flux.model_folder import open_model_folder
from core.flux.models import choose_hardware, load_transformer
from core.settings import POCKET_FLUX
from tests.core.training import go, run_of


@pytest.fixture
def output(tmp_path) -> Path:
    """An output folder with one LoRA that changes pictures."""
    transformer = load_transformer(open_model_folder(Path(POCKET_FLUX)), choose_hardware("fp32"))
    add_lora(transformer, 4, 4, "attn-mlp", seed=0)
    generator = torch.Generator().manual_seed(1)
    save_lora_file(tmp_path / "anna.safetensors", {name: 0.2 * torch.randn(t.shape, generator=generator) for name, t in lora_weights(transformer).items()}, 1.0, {})
    set_lora_weights(transformer, lora_weights(transformer))
    return tmp_path


def evaluate(request, name, output, should_stop):
    """With a cache of its own, so that no test finds what another drew."""
    return evaluate_module.evaluate(request, name, output, should_stop, output / "cache")


def request(**changes):
    return GridRequest(**{"lora": "anna.safetensors", "model_path": POCKET_FLUX, "prompts": ("a woman", "a man"), "strengths": (0.0, 0.5, 1.0), "width": 128, "height": 96, "num_inference_steps": 2, **changes})


def files_of(output, name):
    return {file.name: file.read_bytes() for file in (evaluations_folder(output) / name).glob("row-*.png")}


def test_a_grid_has_every_cell_a_sheet_and_a_record(output):
    events = list(evaluate(request(), "g", output, lambda: False))
    grid = load_grid("g", output)
    assert grid.finished and len([event for event in events if isinstance(event, ImageSaved)]) == 6 and isinstance(events[-1], RunFinished)
    assert Image.open(evaluations_folder(output) / "g" / grid.cell(1, 0.5).file).size == (128, 96)
    assert grid.cell(0, 0.5).seed == grid.cell(0, 1.0).seed != grid.cell(1, 1.0).seed
    assert len(set(files_of(output, "g").values())) == 6
    assert Image.open(evaluations_folder(output) / "g" / "grid.png").width > 3 * 128 and grid_names(output) == ["g"]


def test_too_little_memory_draws_fewer_at_once_and_the_same_pictures(output, monkeypatch):
    list(evaluate(request(), "whole", output, lambda: False))
    real = draw_module.draw_latents

    def small_device(transformer, prompt, seed, strengths, *rest):
        if len(strengths) > 1:
            raise torch.OutOfMemoryError("too many")
        return real(transformer, prompt, seed, strengths, *rest)

    monkeypatch.setattr(draw_module, "draw_latents", small_device)
    events = list(evaluate(request(), "parts", output, lambda: False))
    assert any("memory" in event.what for event in events if isinstance(event, Warned))
    for name in files_of(output, "whole"):
        one, other = (Image.open(evaluations_folder(output) / grid / name) for grid in ("whole", "parts"))
        assert max(abs(a - b) for a, b in zip(one.tobytes(), other.tobytes(), strict=True)) <= 2, name


def test_a_stop_keeps_finished_rows(output):
    drawn = []

    def stop_in_the_second_row():
        return len(list((evaluations_folder(output) / "g").glob("row-00-*"))) == 3 and (drawn.append(1) or len(drawn) > 1)

    events = list(evaluate(request(), "g", output, stop_in_the_second_row))
    grid = load_grid("g", output)
    assert isinstance(events[-1], RunStopped) and {cell.row for cell in grid.cells} == {0} and not grid.finished
    assert (evaluations_folder(output) / "g" / "grid.png").is_file()


def test_a_stopped_grid_is_resumed_under_its_name_and_ends_as_if_never_stopped(output):
    list(evaluate(request(), "whole", output, lambda: False))
    shutil.rmtree(output / "cache")

    def stop_in_the_second_row():
        return (evaluations_folder(output) / "g" / "row-00-strength-1.png").exists()

    list(evaluate(request(), "g", output, stop_in_the_second_row))
    before = (evaluations_folder(output) / "g" / "row-00-strength-1.png").stat().st_mtime_ns
    (evaluations_folder(output) / "g" / "row-00-strength-0.5.png").write_bytes(b"torn")
    events = list(evaluate(request(), "g", output, lambda: False))
    assert events[0].first_step == 2 and isinstance(events[-1], RunFinished) and load_grid("g", output).finished
    assert (evaluations_folder(output) / "g" / "row-00-strength-1.png").stat().st_mtime_ns == before
    for name, data in files_of(output, "whole").items():
        one, other = Image.open(io.BytesIO(data)), Image.open(evaluations_folder(output) / "g" / name)
        assert max(abs(a - b) for a, b in zip(one.tobytes(), other.tobytes(), strict=True)) <= 2, name


def test_another_request_under_a_taken_name_is_refused(output):
    list(evaluate(request(prompts=("a woman",), strengths=(1.0,)), "g", output, lambda: False))
    with pytest.raises(Refused, match="of other prompts"):
        list(evaluate(request(prompts=("a man",), strengths=(1.0,)), "g", output, lambda: False))


def test_the_base_models_pictures_are_drawn_once_for_all_grids(output, monkeypatch):
    """Counted where they are drawn: the second grid asks for strength 0 too, and no forward pass has it."""
    asked = []
    real = draw_module.draw_latents
    monkeypatch.setattr(draw_module, "draw_latents", lambda transformer, prompt, seed, strengths, *rest: asked.append(tuple(strengths)) or real(transformer, prompt, seed, strengths, *rest))
    list(evaluate(request(), "first", output, lambda: False))
    list(evaluate(request(strengths=(0.0, 0.8)), "second", output, lambda: False))
    assert asked == [(0.0, 0.5, 1.0)] * 2 + [(0.8,)] * 2
    assert files_of(output, "first")["row-00-strength-0.png"] == files_of(output, "second")["row-00-strength-0.png"]
    list(evaluate(request(strengths=(0.0, 0.8), num_inference_steps=3), "other", output, lambda: False))
    assert asked[-1] == (0.0, 0.8)


def test_checkpoints_are_rows_of_one_grid_and_the_last_one_is_the_file(short_run, tmp_path):
    run = run_of(short_run(train__keep_checkpoints=9))
    go(run)
    wanted = request(lora=run.lora_file.name, prompts=("a woman",), strengths=(1.0,), sources=("step-000002", "step-000004", "final"))
    list(evaluate(wanted, "g", run.output, lambda: False))
    early, last, final = (Image.open(evaluations_folder(run.output) / "g" / load_grid("g", run.output).cell(row, 1.0).file) for row in range(3))
    assert max(abs(a - b) for a, b in zip(last.tobytes(), final.tobytes(), strict=True)) <= 2
    assert max(abs(a - b) for a, b in zip(early.tobytes(), final.tobytes(), strict=True)) > 2
    with pytest.raises(UserError, match="not there"):
        list(evaluate(request(lora=run.lora_file.name, sources=("step-000003",)), "h", run.output, lambda: False))


def test_seeds_and_sources_stand_side_by_side_and_a_part_keeps_its_seeds(output):
    wanted = request(seeds_each=2, sources=("step-000002", "final"))
    assert [(row.prompt, row.seed, row.source) for row in wanted.rows][:4] == [(0, 1234, "step-000002"), (0, 1234, "final"), (0, 2234, "step-000002"), (0, 2234, "final")]
    assert {row.seed for row in wanted.only([1]).rows} == {1235, 2235} and wanted.only([1]).prompts == ("a man",)


def test_a_lora_that_is_not_there_or_does_not_fit_is_refused(output):
    with pytest.raises(UserError, match="not there"):
        list(evaluate(request(lora="nobody.safetensors"), "g", output, lambda: False))
    from safetensors.torch import save_file

    save_file({"transformer.transformer_blocks.0.attn.to_q.lora_A.weight": torch.zeros(4, 9), "transformer.transformer_blocks.0.attn.to_q.lora_B.weight": torch.zeros(9, 4)}, output / "odd.safetensors")
    with pytest.raises(Refused, match="does not fit"):
        list(evaluate(request(lora="odd.safetensors"), "h", output, lambda: False))


def test_the_sheet_shows_cells_not_drawn_as_gray(output):
    list(evaluate(request(prompts=("a woman",)), "g", output, lambda: False))
    grid = load_grid("g", output)
    missing = grid.model_copy(update={"cells": grid.cells[:1]})
    sheet = draw_sheet(missing, evaluations_folder(output) / "g")
    assert sheet.getpixel((sheet.width - 40, sheet.height // 2 + 20)) == (225, 225, 223)


@pytest.mark.parametrize(("text", "strengths"), [("0.5 0.8, 1.0 1.2", (0.5, 0.8, 1.0, 1.2)), ("1", (1.0,)), ("0,0.5 0.5", (0.0, 0.5)), ("-0.5", (-0.5,))])
def test_strengths_are_read_as_people_write_them(text, strengths):
    assert parse_strengths(text) == strengths


@pytest.mark.parametrize("text", ["", "a b", "3", "nan", "1e9", "inf"])
def test_strengths_out_of_range_are_refused(text):
    with pytest.raises(UserError):
        parse_strengths(text)


def test_the_shipped_prompts_ask_for_the_person_and_vary():
    prompts = read_prompts()
    assert {prompt.kind for prompt in prompts} == {"front", "three-quarter", "profile", "full body", "clothes", "light", "expression", "style", "class", "two people"} and len({prompt.text for prompt in prompts}) == len(prompts)
    assert sum(prompt.kind == "class" for prompt in prompts) >= 2 and all("{class}" in prompt.text for prompt in prompts)
    assert len(prompts) >= 4 and all(("{trigger}" in prompt.text) is (prompt.kind != "class") for prompt in prompts)
    assert fill([Prompt("{trigger} {class} {other}")], "ohwx", "woman") == ("ohwx woman {other}",)


@pytest.mark.parametrize("text", ["", "# only a comment", "\n".join(["a"] * 25), "x" * 1001])
def test_none_too_many_or_too_long_prompts_are_refused(text):
    with pytest.raises(UserError):
        parse_prompts(text)


@pytest.mark.parametrize("name", ["../g", "", "g/../g", "nothing"])
def test_only_listed_grids_are_loaded(output, name):
    list(evaluate(request(prompts=("a",), strengths=(1.0,)), "g", output, lambda: False))
    with pytest.raises(UserError):
        load_grid(name, output)
