"""Compiling the blocks: the same gradients from one graph a kind, kept only where it pays, and never a reason for a run to end."""

import pytest
import torch
import torch._dynamo.utils

from core.events import Phase, StepDone, Warned
from core.flux import forward
from core.flux.forward import checkpoint_blocks, compile_blocks, uncompile_blocks
from core.training import sturdy_step
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


def told(compilation, steps, steps_left):
    return [sentence for seconds in steps if (sentence := compilation.after_step(seconds, steps_left))]


def graphs():
    return torch._dynamo.utils.counters["stats"]["unique_graphs"]


def test_gradients_are_those_of_the_blocks_as_they_stand_and_blocks_share_graphs():
    """A graph for each kind of block and one for the first, whose inputs need no gradient; the same again for all other sizes of pictures."""
    plain, compiled = adapted(), adapted()
    torch._dynamo.utils.counters.clear()
    compile_quickly(compiled)
    for model in (plain, compiled):
        checkpoint_blocks(model, 3)
        ours(model, *batch()).pow(2).mean().backward()
    assert graphs() == 3 and not torch._dynamo.utils.counters["graph_break"]
    for name, grad in gradients(plain).items():
        assert torch.allclose(gradients(compiled)[name], grad, rtol=1e-4, atol=1e-5 * grad.abs().max().item()), name
    noisy, sigma, prompt_embeds, pooled = batch()
    for height in (6, 4):
        ours(compiled, noisy[:, :, :height], sigma, prompt_embeds, pooled).pow(2).mean().backward()
    assert graphs() == 6


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
    compilation = Compilation("auto")
    sentences = told(compilation, [2.0] * TRIAL, 500)
    assert len(sentences) == 1 and sentences[0].startswith("Not compiled: it takes about 2 min 00 s") and "16 min 40 s" in sentences[0]
    assert compilation.is_decided and not compilation.is_compiled


def test_what_the_steps_gain_decides():
    for seconds, is_kept in ((1.5, True), (1.97, False), (2.5, False)):
        compilation = Compilation("auto")
        told(compilation, [2.0] * TRIAL, 1000)
        assert compilation.is_compiled and not compilation.is_decided
        (sentence,) = told(compilation, [65.0, *[seconds] * (TRIAL - 1)], 1000)
        assert (compilation.is_compiled, compilation.is_decided) == (is_kept, True)
        assert ("saves 8 min 20 s" in sentence) == is_kept and "compiling took 1 min 0" in sentence


def test_off_never_and_on_whatever_is_left():
    assert not told(Compilation("off"), [9.0] * 50, 10_000)
    compilation = Compilation("on")
    told(compilation, [0.1] * TRIAL, 1)
    assert compilation.is_compiled


def test_a_run_compiles_and_goes_on_as_its_steps_say(short_run, monkeypatch):
    plain = run_of(short_run(train__steps=2 * TRIAL + 2, run__name="plain", sampling__every=0))
    go(plain)
    monkeypatch.setattr(sturdy_step, "compile_blocks", compile_quickly)
    run = run_of(short_run(train__steps=2 * TRIAL + 2, run__name="compiled", sampling__every=0, model__compile="on"))
    events = go(run)
    said = [event.what for event in of_kind(events, Phase)]
    assert any(what.startswith("Compiling the blocks") for what in said) and any(what.startswith(("Compiled: ", "Going on uncompiled: ")) for what in said)
    assert len(of_kind(events, StepDone)) == 2 * TRIAL + 2
    ours_, theirs = weights_of(run), weights_of(plain)
    assert ours_.keys() == theirs.keys() and all(torch.allclose(ours_[name], theirs[name], rtol=1e-2, atol=1e-4) for name in theirs)


def test_a_compiler_that_fails_costs_no_step(short_run, monkeypatch):
    plain = run_of(short_run(train__steps=TRIAL + 2, run__name="plain", sampling__every=0))
    go(plain)

    def broken(graph, inputs):
        raise RuntimeError("no C compiler here")

    monkeypatch.setattr(sturdy_step, "compile_blocks", lambda transformer: compile_blocks(transformer, broken))
    run = run_of(short_run(train__steps=TRIAL + 2, run__name="broken", sampling__every=0, model__compile="on"))
    (warning,) = [event.what for event in of_kind(go(run), Warned) if "compiled" in event.what]
    assert "no C compiler here" in warning and "Nothing is lost" in warning
    assert same(weights_of(run), weights_of(plain))


def test_on_a_cpu_auto_is_off(short_run):
    events = go(run_of(short_run(train__steps=TRIAL + 1, sampling__every=0)))
    assert not any("ompil" in event.what for event in of_kind(events, Phase))


@pytest.mark.slow
def test_torchs_own_compiler_gives_the_same_gradients():
    plain, compiled = adapted(), adapted()
    compile_blocks(compiled)
    for model in (plain, compiled):
        ours(model, *batch()).pow(2).mean().backward()
    assert set(compiled.compiled_passes) == {forward._double_block, forward._single_block}
    for name, grad in gradients(plain).items():
        assert torch.allclose(gradients(compiled)[name], grad, rtol=1e-3, atol=1e-4 * grad.abs().max().item()), name
