"""Text-encoder training on the pocket FLUX: what is trained when, that it is resumed exactly, and what goes into the file."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import FluxPipeline

from core.dataset.folder import open_dataset
from core.doctor.finished import finished_without_encoder
from core.errors import Refused
from core.evaluation.encode import pooled_of
from core.evaluation.grid import GridRequest
from core.events import Phase, ReportSaved
from core.flux.encode import PromptEmbeds, encode_prompt
from core.flux.lora_file import load_encoder_weights, load_lora_weights, read_lora_header
from core.flux.model_folder import open_model_folder
from core.flux.models import choose_hardware, load_text_encoders
from core.runs import RunStore
from core.settings import POCKET_FLUX
from core.training.advice import Finished, advise_text_encoder, is_known_word
from core.training.text_encoder import build_text_encoder
from tests.core.logs import log_of
from tests.core.training import after_steps, encoder_weights_of, go, losses_of, of_kind, run_of, same, weights_of


def encoder_of(settings):
    return build_text_encoder(open_model_folder(Path(POCKET_FLUX)), choose_hardware("fp32"), settings)


def test_the_text_encoder_learns_when_it_is_asked_to_and_only_clip(short_run):
    plain, trained = run_of(short_run(run__name="plain")), run_of(short_run(run__name="trained", text_encoder__enabled=1))
    go(plain)
    go(trained)
    assert encoder_weights_of(plain) == {} and not same(weights_of(plain), weights_of(trained))
    names = encoder_weights_of(trained)
    assert {name.split(".")[0] for name in names} == {"encoder"} and any(tensor.abs().max() > 0 for name, tensor in names.items() if "lora_B" in name)


def test_two_phases_train_the_encoder_for_the_first_half_and_keep_it(short_run):
    run = run_of(short_run(text_encoder__two_phase=1, train__steps=5))
    halves = {}
    events = go(run, after_steps(3, run))
    halves[3] = encoder_weights_of(run)
    events += go(run, resume=True)
    assert [event.what for event in of_kind(events, Phase)].count("Freezing the text encoder") == 0  # a resume finds it frozen
    assert same(halves[3], encoder_weights_of(run)) and any(tensor.abs().max() > 0 for tensor in halves[3].values())


def test_the_change_of_phase_is_said(short_run):
    events = go(run_of(short_run(text_encoder__two_phase=1)))
    assert "Freezing the text encoder" in [event.what for event in of_kind(events, Phase)]


@pytest.mark.parametrize("stop_after", [1, 2, 4])
@pytest.mark.parametrize("switch", ["text_encoder__enabled", "text_encoder__two_phase"])
def test_resuming_is_exact_in_both_phases(short_run, switch, stop_after):
    changes = {switch: 1, "train__steps": 5, "lora__dropout": 0.2, "train__ema_decay": 0.5}
    whole, broken = run_of(short_run(run__name="whole", **changes)), run_of(short_run(run__name="broken", **changes))
    go(whole)
    go(broken, after_steps(stop_after, broken))
    go(broken, resume=True)
    assert losses_of(whole) == losses_of(broken)
    assert same(weights_of(whole), weights_of(broken)) and same(encoder_weights_of(whole), encoder_weights_of(broken))


def test_phase_two_of_the_guide_keeps_the_encoder_of_phase_one(short_run):
    first = run_of(short_run(run__name="phase1", text_encoder__enabled=1))
    go(first)
    second = run_of(short_run(run__name="phase2", run__warm_start=first.lora_file))
    go(second)
    kept, given = encoder_weights_of(second), encoder_weights_of(first)
    assert kept.keys() == given.keys() and all(torch.allclose(kept[name], given[name], atol=1e-3) for name in given)


def test_a_warm_start_for_another_model_is_refused(short_run, tmp_path):
    first = run_of(short_run(run__name="first"))
    go(first)
    other = tmp_path / "other-flux"
    other.mkdir()
    for part in Path(POCKET_FLUX).resolve().iterdir():
        if part.name != "scheduler":
            (other / part.name).symlink_to(part)
    (other / "scheduler").mkdir()
    (other / "scheduler" / "scheduler_config.json").write_text("{}")
    with pytest.raises(Refused, match="another base model"):
        go(run_of(short_run(run__name="second", run__warm_start=first.lora_file, model__path=other)))


def test_its_learning_rate_is_a_share_of_the_transformers(short_run):
    runs = [run_of(short_run(run__name=f"scale-{scale}", text_encoder__enabled=1, text_encoder__learning_rate_scale=scale, train__steps=1, optimizer__warmup_steps=0)) for scale in (0.4, 0.8)]
    for run in runs:
        go(run)
    small, large = (encoder_weights_of(run) for run in runs)
    moved = [name for name in small if "lora_B" in name]  # B starts at zero, so one AdamW step moves it by the learning rate
    ratio = sum(large[name].abs().sum() for name in moved) / sum(small[name].abs().sum() for name in moved)
    assert ratio == pytest.approx(2, rel=0.02)


def test_rank_is_at_most_16_at_the_scale_of_the_transformer(short_run):
    encoder = encoder_of(short_run(lora__rank=64, lora__alpha=32))
    layer = encoder.clip.get_submodule("encoder.layers.0.self_attn.q_proj")
    assert layer.r["default"] == 16 and layer.scaling["default"] == 0.5


def test_a_fresh_encoder_lora_changes_no_embedding(short_run):
    encoder = encoder_of(short_run())
    with_lora = encoder.pooled_by_text(["ohwx woman, outdoors"])["ohwx woman, outdoors"]
    encoder.clip.disable_adapters()
    assert torch.equal(with_lora, encoder.pooled_by_text(["ohwx woman, outdoors"])["ohwx woman, outdoors"])


def test_advice_follows_the_guide(photos, tmp_path):
    model = tmp_path
    (model / "tokenizer").mkdir()
    (model / "tokenizer" / "vocab.json").write_text('{"john</w>": 5, "oh": 6, "wx</w>": 7}')
    dataset = open_dataset(photos)
    few = advise_text_encoder(dataset, "john", model)
    many = advise_text_encoder(replace(dataset, samples=dataset.samples * 3), "john", model)
    new = advise_text_encoder(replace(dataset, samples=dataset.samples * 3), "ohwx", model)
    assert (few.recommended, many.recommended, new.recommended) == (False, True, False)
    assert "too few" in few.reasons[0] and "knows already" in many.reasons[0] and "new to the text encoder" in new.reasons[0]


def test_a_weak_person_in_a_finished_run_speaks_for_it_and_a_clear_one_against(photos, tmp_path):
    many = replace(open_dataset(photos), samples=open_dataset(photos).samples * 3)
    weak, clear = (advise_text_encoder(many, "ohwx", tmp_path, Finished("anna", likeness)) for likeness in (0.62, 0.8))
    assert weak.recommended and "only weakly (likeness 0.62, weak)" in weak.reasons[-1] and "anna" in weak.reasons[-1]
    assert not clear.recommended and "without it (likeness 0.80, good)" in clear.reasons[-1]
    assert not advise_text_encoder(open_dataset(photos), "ohwx", tmp_path, Finished("anna", 0.3)).recommended  # six photos


def test_the_run_that_speaks_is_the_newest_finished_one_on_these_photos_with_a_frozen_encoder(short_run, photos):
    settings = [short_run(run__name=name, text_encoder__enabled=encoder) for name, encoder in (("old", 0), ("new", 0), ("trained", 1), ("broken", 0))]
    runs = [run_of(one) for one in settings]
    store = RunStore(runs[0].output)
    assert finished_without_encoder(str(photos), store) is None
    for number, (run, likeness) in enumerate(zip(runs, (0.5, 0.6, 0.7, 0.8), strict=True)):
        os.utime(run.folder / "run.json", (number, number))
        for event in log_of([likeness], ended=run.name != "broken"):
            run.log.append(event)
    assert finished_without_encoder(str(photos), store) == Finished("new", 0.6) and finished_without_encoder("data/other", store) is None
    (runs[1].folder / "run.json").write_text("{")
    assert finished_without_encoder(str(photos), store) == Finished("old", 0.5)


def test_a_word_is_looked_up_in_the_shipped_tokenizer():
    assert is_known_word("beach", Path(POCKET_FLUX)) and is_known_word("ohwx", Path(POCKET_FLUX)) is False and is_known_word("ohwx", Path("nowhere")) is None


def test_a_twin_without_the_encoder_stands_beside_the_file(short_run):
    run, plain = run_of(short_run(text_encoder__two_phase=1)), run_of(short_run(run__name="plain"))
    events = go(run)
    go(plain)
    assert [event.file for event in of_kind(events, ReportSaved)] == ["short.safetensors", "short.transformer-only.safetensors"]
    twin = read_lora_header(run.transformer_only_file)
    assert twin.encoder_rank == 0 and same(load_lora_weights(twin), weights_of(run)) and not plain.transformer_only_file.exists()


def test_the_file_loads_in_diffusers_with_both_parts_and_scales_them_together(short_run):
    run = run_of(short_run(text_encoder__enabled=1, optimizer__learning_rate=0.02))
    go(run)
    pipeline = FluxPipeline.from_pretrained(POCKET_FLUX)
    prompt = "portrait of ohwx woman, on a beach"
    with torch.no_grad():
        base = pipeline.encode_prompt(prompt, None)[1]
        pipeline.load_lora_weights(str(run.output), weight_name=run.lora_file.name)
        full = pipeline.encode_prompt(prompt, None)[1]
        pipeline.set_adapters(pipeline.get_active_adapters(), 0.0)
        none = pipeline.encode_prompt(prompt, None)[1]
    encoder = encoder_of(short_run(run__name="ours"))
    encoder.set_weights(encoder_weights_of(run))
    ours = encoder.pooled_by_text([prompt])[prompt]
    assert torch.equal(base, none) and not torch.allclose(base, full, atol=1e-3) and torch.allclose(full, ours, atol=1e-5)


def test_the_grid_scales_the_text_encoder_too(short_run):
    run = run_of(short_run(text_encoder__enabled=1, optimizer__learning_rate=0.02))
    go(run)
    request = GridRequest(lora=run.lora_file.name, model_path=POCKET_FLUX, prompts=("ohwx woman", "a beach"), strengths=(0.0, 0.5, 1.0), width=64, height=64, num_inference_steps=1)
    model, hardware = open_model_folder(Path(POCKET_FLUX)), choose_hardware("fp32")
    file = read_lora_header(run.lora_file)
    rows = pooled_of(load_encoder_weights(file), request, file, model, hardware)[0]
    plain = encode_prompt(load_text_encoders(model, hardware, 512), "ohwx woman")
    assert rows.shape[0] == 3 and torch.allclose(rows[:1], plain.pooled_prompt_embeds, atol=1e-6) and not torch.allclose(rows[0], rows[2], atol=1e-3)
    assert torch.equal(PromptEmbeds(plain.prompt_embeds, rows).rows([1, 2]).pooled_prompt_embeds, rows[1:3])
