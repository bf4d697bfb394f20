"""Compiling the blocks: the same gradients from one graph a kind, kept only where it pays, and never a reason for a run to end."""

import time

import pytest
import torch
import torch._dynamo.utils

from core.events import Phase, Warned
from core.flux import forward
from core.flux.forward import checkpoint_blocks, compile_blocks, uncompile_blocks
from core.training import compilation, sturdy_step
from core.training.compilation import STEPS_MEASURED, WARM_UP, Compilation
from tests.core.test_forward import adapted, batch, gradients, ours
from tests.core.training import go, of_kind, run_of, same, weights_of

TRIAL = WARM_UP + STEPS_MEASURED
# The tracer looks at every attribute of a tensor, and warnings are errors here.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


@pytest.fixture(autouse=True)
def a_compiler_without_a_memory():
    yield
    torch.compiler.reset()


def compile_quickly(transformer):
    """Graphs are traced and their backward pass is derived as for any compiler, then run by torch itself: no C++ is built."""
    compile_blocks(transformer, "aot_eager")


def told(trial, steps, steps_left):
    return [sentence for seconds in steps if (sentence := trial.after_step(seconds, steps_left))]


def graphs():
    return torch._dynamo.utils.counters["stats"]["unique_graphs"]


def test_gradients_are_those_of_the_blocks_as_they_stand_and_blocks_share_graphs():
    """A graph for each kind of block and one for the first, whose inputs need no gradient."""
    plain, compiled = adapted(), adapted()
    torch._dynamo.utils.counters.clear()
    compile_quickly(compiled)
    for model in (plain, compiled):
        checkpoint_blocks(model, 3)
        ours(model, *batch()).pow(2).mean().backward()
    assert graphs() == 3 and not torch._dynamo.utils.counters["graph_break"]
    for name, grad in gradients(plain).items():
        assert torch.allclose(gradients(compiled)[name], grad, rtol=1e-4, atol=1e-5 * grad.abs().max().item()), name


def test_pictures_are_drawn_uncompiled():
    model = adapted()
    compile_blocks(model, lambda graph, inputs: pytest.fail("compiled"))
    with torch.no_grad():
        ours(model, *batch())


def test_uncompiled_again_no_graph_is_used():
    model = adapted()
    compile_blocks(model, lambda graph, inputs: pytest.fail("compiled"))
    uncompile_blocks(model)
    ours(model, *batch()).pow(2).mean().backward()


def test_few_steps_are_not_worth_it():
    trial = Compilation("auto")
    sentences = told(trial, [2.0] * TRIAL, 500)
    assert len(sentences) == 1 and sentences[0].startswith("Not compiled: it takes about 2 min 00 s") and "16 min 40 s" in sentences[0]
    assert trial.is_decided and not trial.is_compiled


def test_what_the_steps_gain_decides():
    for seconds, is_kept in ((1.5, True), (1.97, False), (2.5, False)):
        trial = Compilation("auto")
        told(trial, [2.0] * TRIAL, 1000)
        assert trial.is_compiled and not trial.is_decided
        (sentence,) = told(trial, [65.0, *[seconds] * (TRIAL - 1)], 1000)
        assert (trial.is_compiled, trial.is_decided) == (is_kept, True)
        assert ("saves 8 min 20 s" in sentence) == is_kept and "compiling took 1 min 0" in sentence


def test_off_never_and_on_whatever_is_left():
    assert not told(Compilation("off"), [9.0] * 50, 10_000)
    trial = Compilation("on")
    told(trial, [0.1] * TRIAL, 1)
    assert trial.is_compiled


@pytest.fixture
def short_trial(monkeypatch):
    """Two steps as they are, two compiled."""
    monkeypatch.setattr(compilation, "WARM_UP", 1)
    monkeypatch.setattr(compilation, "STEPS_MEASURED", 1)


def with_passes(wrapped):
    """A compiler that hands each block's pass to `wrapped`."""

    def compile_blocks(transformer):
        transformer.compiled_passes = {block_pass: wrapped(block_pass) for block_pass in (forward._double_block, forward._single_block)}

    return compile_blocks


@pytest.mark.parametrize(("pause", "sentence"), [(0.0, "Compiled: "), (0.02, "Going on uncompiled: ")])
def test_a_run_keeps_what_its_steps_say_and_nothing_else_changes(short_run, short_trial, monkeypatch, pause, sentence):
    """The compiled passes wait: before the choice in the plain steps, in the other case in the compiled ones."""
    plain = run_of(short_run(train__steps=6, run__name="plain", sampling__every=0))
    go(plain)
    calls = []

    def slow(block_pass):
        def passed(*inputs):
            calls.append(block_pass)
            time.sleep(pause)
            return block_pass(*inputs)

        return passed

    monkeypatch.setattr(sturdy_step, "compile_blocks", with_passes(slow))
    monkeypatch.setattr(compilation, "LEAST_GAIN", 0.0 if pause else -1000.0)
    run = run_of(short_run(train__steps=6, run__name="compiled", sampling__every=0, model__compile="on"))
    said = [event.what for event in of_kind(go(run), Phase)]
    assert any(what.startswith("Compiling the blocks") for what in said) and any(what.startswith(sentence) for what in said)
    per_step = len(calls) / (2 if pause else 4)
    assert per_step == int(per_step) > 0 and set(calls) == {forward._double_block, forward._single_block}
    assert same(weights_of(run), weights_of(plain))


def test_a_compiler_that_fails_costs_no_step(short_run, short_trial, monkeypatch):
    plain = run_of(short_run(train__steps=4, run__name="plain", sampling__every=0))
    go(plain)

    def broken(graph, inputs):
        raise RuntimeError("no C compiler here")

    monkeypatch.setattr(sturdy_step, "compile_blocks", lambda transformer: compile_blocks(transformer, broken))
    run = run_of(short_run(train__steps=4, run__name="broken", sampling__every=0, model__compile="on"))
    (warning,) = [event.what for event in of_kind(go(run), Warned) if "compiled" in event.what]
    assert "no C compiler here" in warning and "Nothing is lost" in warning
    assert same(weights_of(run), weights_of(plain))


def test_on_a_cpu_auto_is_off(short_run, short_trial):
    events = go(run_of(short_run(train__steps=3, sampling__every=0)))
    assert not any("ompil" in event.what for event in of_kind(events, Phase))


@pytest.mark.slow
def test_all_other_sizes_share_a_second_set_of_graphs():
    torch._dynamo.utils.counters.clear()
    model, (noisy, sigma, prompt_embeds, pooled) = adapted(), batch()
    compile_quickly(model)
    for height in (8, 6, 4, 2):
        ours(model, noisy[:, :, :height], sigma, prompt_embeds, pooled).pow(2).mean().backward()
    assert graphs() == 6


@pytest.mark.slow
def test_torchs_own_compiler_gives_the_same_gradients():
    plain, compiled = adapted(), adapted()
    compile_blocks(compiled)
    for model in (plain, compiled):
        ours(model, *batch()).pow(2).mean().backward()
    assert set(compiled.compiled_passes) == {forward._double_block, forward._single_block}
    for name, grad in gradients(plain).items():
        assert torch.allclose(gradients(compiled)[name], grad, rtol=1e-3, atol=1e-4 * grad.abs().max().item()), name
