"""The memory plan: its figures counted on real blocks, its choice on cards of all sizes, and the ladder when memory runs out."""

import json

import pytest
import torch
from diffusers import FluxTransformer2DModel

import core.training.train as train_module
from core.errors import Refused
from core.events import Phase, StepDone, Warned
from core.flux.forward import checkpoint_blocks, predict_velocity
from core.flux.lora import add_lora, keep_gelu
from core.training import sturdy_step
from core.training.memory import GIB, MemoryPlan, ModelShape, base_bytes, forecast, lora_parameters, saved_by_block
from core.training.preflight import ladder, relative_time
from tests.core.training import after_steps, go, losses_of, of_kind, run_of, same, weights_of

FLUX_DEV = ModelShape(19, 38, 3072, 24, 67_179_584)
ROPE = {16: (4, 6, 6), 32: (8, 12, 12)}


def small_flux(double=1, single=1, hidden=64, heads=4):
    return FluxTransformer2DModel(num_layers=double, num_single_layers=single, num_attention_heads=heads, attention_head_dim=hidden // heads, joint_attention_dim=32, pooled_projection_dim=16, in_channels=64, guidance_embeds=True, axes_dims_rope=ROPE[hidden // heads])


def saved_bytes(model, side, text_tokens, batch, dtype):
    """What autograd keeps between forward and backward, every storage once, weights left out."""
    known = {tensor.untyped_storage().data_ptr() for tensor in [*model.parameters(), *model.buffers()]}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        predict_velocity(model, torch.zeros(batch, 16, side, side), torch.zeros(batch), torch.zeros(batch, text_tokens, 32), torch.zeros(batch, 16), 1.0, dtype)
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(("kind", "counts"), [("double", (2, 1)), ("single", (1, 2))])
@pytest.mark.parametrize(("hidden", "heads", "rank", "batch"), [(64, 4, 4, 1), (128, 4, 16, 2), (256, 8, 8, 1)])
def test_what_a_block_keeps_is_what_the_forecast_says(dtype, kept, kind, counts, hidden, heads, rank, batch):
    amounts = []
    for double, single in ((1, 1), counts):
        model = small_flux(double, single, hidden, heads).to(dtype)
        add_lora(model, rank, rank, "attn-mlp", seed=0)
        keep_gelu(model, kept)
        amounts.append(saved_bytes(model.train(), 16, 32, batch, dtype))
    measured, said = amounts[1] - amounts[0], saved_by_block(kind, ModelShape(1, 1, hidden, heads, 0), rank, 96 * batch, dtype.itemsize, kept)
    # The rest is one row per picture, which shows at these sizes alone.
    assert said == pytest.approx(measured, rel=0.015)


def test_a_checkpointed_block_keeps_its_input_alone():
    amounts = []
    for count in (0, 1, 3):
        model = small_flux(1, 2)
        add_lora(model, 4, 4, "attn-mlp", seed=0)
        checkpoint_blocks(model, count)
        amounts.append(saved_bytes(model.train(), 16, 32, 1, torch.float32))
    shape, tokens = ModelShape(1, 2, 64, 4, 0), 96
    one_input = tokens * 64 * 4
    # The very first block keeps less than the others: nothing before it needs a gradient.
    assert amounts[0] - amounts[1] == pytest.approx(saved_by_block("double", shape, 4, tokens, 4) - one_input, rel=0.15)
    assert amounts[1] - amounts[2] == pytest.approx(2 * (saved_by_block("single", shape, 4, tokens, 4) - one_input), rel=0.02)


def test_sizes_of_flux_dev_are_the_published_ones():
    assert lora_parameters(FLUX_DEV, 16, "attn-mlp") == 16 * 4_085_760 and lora_parameters(FLUX_DEV, 1, "blocks") == 5_369_856
    assert base_bytes(FLUX_DEV, False, 2) / GIB == pytest.approx(22.2, abs=0.05) and base_bytes(FLUX_DEV, True, 2) / GIB == pytest.approx(11.1, abs=0.1)
    assert sum(parameter.numel() for parameter in small_lora("blocks")) == lora_parameters(ModelShape(2, 3, 64, 4, 0), 4, "blocks")


def small_lora(targets):
    return add_lora(small_flux(2, 3), 4, 4, targets, seed=0)


@pytest.mark.parametrize("targets", ["attn", "attn-mlp", "blocks"])
def test_the_loras_size_is_counted_for_every_target_set(targets):
    assert sum(parameter.numel() for parameter in small_lora(targets)) == lora_parameters(ModelShape(2, 3, 64, 4, 0), 4, targets)


FAST, FINAL = {"rank": 32, "tokens": 32 * 32 + 512, "most_pictures": 1}, {"rank": 64, "tokens": 48 * 48 + 512, "most_pictures": 4}


def choose(profile, gib, **more):
    free = int((gib * 0.97 - 0.6) * GIB)  # the driver and the CUDA context take their part
    return ladder(FLUX_DEV, free, 2, profile["rank"], "attn-mlp", profile["tokens"], profile["most_pictures"], **more)


def test_the_fits_that_were_promised():
    assert choose(FAST, 16)[0][0] == MemoryPlan(True, 57, 1) and choose(FAST, 24)[0][0] == MemoryPlan(True, 0, 1)
    assert choose(FINAL, 24)[0][0] == MemoryPlan(True, 57, 4)
    assert choose(FINAL, 80)[0][0] == MemoryPlan(False, 0, 4)
    assert choose(FAST, 40)[0][0] == MemoryPlan(False, 0, 1, keeps_gelu=True)


def test_every_rung_fits_and_needs_less_than_the_one_above():
    rungs = choose(FINAL, 80)
    totals = [needs.total for _, needs in rungs]
    times = [relative_time(plan, FLUX_DEV) for plan, _ in rungs]
    assert len(rungs) > 5 and totals == sorted(totals, reverse=True) and times == sorted(times)
    assert rungs[-1][0] == MemoryPlan(True, 57, 1)


def test_a_person_can_decide():
    assert not any(plan.int8_base for plan, _ in choose(FINAL, 80, base="full")) and all(plan.int8_base for plan, _ in choose(FINAL, 80, base="int8"))
    assert {plan.checkpointed for plan, _ in choose(FAST, 80, checkpointing="none")} == {0} and {plan.checkpointed for plan, _ in choose(FAST, 80, checkpointing="all")} == {57}


def test_what_does_not_fit_is_refused_with_figures_and_the_guides_order():
    with pytest.raises(Refused) as raised:
        choose(FINAL, 12)
    assert "GiB at the least" in raised.value.what and raised.value.fix.index("BATCH_SIZE=1") < raised.value.fix.index("RESOLUTION=512")


def test_the_forecast_grows_with_everything_that_takes_memory():
    def total(plan=MemoryPlan(True, 57, 1), rank=16, tokens=1536):  # noqa: B008
        return forecast(FLUX_DEV, plan, 2, rank, "attn-mlp", tokens).total

    assert total() < total(rank=64) and total() < total(tokens=4608) and total() < total(MemoryPlan(True, 57, 2)) < total(MemoryPlan(True, 0, 2)) < total(MemoryPlan(False, 0, 2))


def test_a_run_says_its_layout(short_run):
    events = go(run_of(short_run(train__steps=1)))
    assert any(event.what.startswith("In memory: full base, no checkpointing, 2 pictures a forward") for event in of_kind(events, Phase))


def out_of_memory_at(step, monkeypatch):
    """The real step, but the device refuses once at each of the given calls."""
    real, calls = sturdy_step.train_step, []

    def refuse(state, parts, should_stop):
        calls.append(state.step)
        if len(calls) in step:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(state, parts, should_stop)

    monkeypatch.setattr(sturdy_step, "train_step", refuse)


def test_out_of_memory_takes_the_next_rung_and_loses_nothing(short_run, monkeypatch):
    plain = run_of(short_run(run__name="plain"))
    go(plain)
    run = run_of(short_run(run__name="tight"))
    out_of_memory_at({2, 3}, monkeypatch)
    events = go(run)
    warnings = [event.what for event in of_kind(events, Warned) if "ran out of memory at step 2" in event.what]
    assert len(set(warnings)) == 2 and [event.step for event in of_kind(events, StepDone)] == [1, 2, 3, 4]
    assert losses_of(run) == pytest.approx(losses_of(plain), rel=0.01)


def test_the_ladder_goes_down_to_the_8_bit_base_with_weights_and_moments(short_run, monkeypatch):
    settings = short_run(run__name="tiny")
    rungs = [(MemoryPlan(False, 0, 2), None), (MemoryPlan(True, 8, 1), None)]
    monkeypatch.setattr(train_module, "rungs_for", lambda *given: rungs)
    monkeypatch.setattr(train_module, "plan_words", lambda *given: "a test")
    out_of_memory_at({3}, monkeypatch)
    run = run_of(settings)
    events = go(run)
    assert [event.step for event in of_kind(events, StepDone)] == [1, 2, 3, 4] and any("8-bit base" in event.what for event in of_kind(events, Warned))
    record = json.loads((run.checkpoints()[0][1] / "state.json").read_text())
    assert record["plan"] == {"int8_base": True, "checkpointed": 8, "micro_batch": 1, "modulation_on_host": False, "keeps_gelu": False}
    plain = run_of(short_run(run__name="plain"))
    monkeypatch.undo()
    go(plain)
    assert losses_of(run) == pytest.approx(losses_of(plain), rel=0.02)


def test_at_the_bottom_of_the_ladder_the_fault_is_told(short_run, monkeypatch):
    monkeypatch.setattr(train_module, "rungs_for", lambda *given: [(MemoryPlan(False, 0, 1), None)])
    monkeypatch.setattr(train_module, "plan_words", lambda *given: "a test")
    out_of_memory_at({1}, monkeypatch)
    with pytest.raises(torch.OutOfMemoryError):
        go(run_of(short_run()))


def test_a_run_on_an_8_bit_base_trains_and_resumes_exactly(short_run):
    whole, broken = (run_of(short_run(run__name=name, model__base="int8", train__save_every=2)) for name in ("whole", "broken"))
    go(whole)
    go(broken, after_steps(2, broken))
    go(broken, resume=True)
    assert losses_of(whole) == losses_of(broken) and same(weights_of(whole), weights_of(broken))
