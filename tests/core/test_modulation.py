"""Modulation on the host: the same numbers, looked up ahead in one visit of the weights."""

import pytest
import torch

import core.training.train as train_module
from core.flux.forward import look_ahead
from core.flux.modulation import Conditions, HostLinear, modulation_linears, move_modulation_to_host, table_of
from core.training.memory import MemoryPlan
from tests.core.test_forward import adapted, batch, gradients, ours
from tests.core.training import after_steps, go, losses_of, run_of, same, weights_of

CPU = torch.device("cpu")


def hosted():
    model = adapted()
    for block in [*model.transformer_blocks, *model.single_transformer_blocks]:
        move_modulation_to_host(block)
    return model


def visits_of(model, monkeypatch):
    """Counts the visits of the first modulation's weights."""
    first, calls = modulation_linears(model)[0], []
    each = HostLinear.each
    monkeypatch.setattr(HostLinear, "each", lambda self, inputs: (calls.append(len(inputs)) if self is first else None) or each(self, inputs))
    return calls


def test_values_and_gradients_are_those_of_the_model_on_the_device():
    results = []
    for model in (adapted(), hosted()):
        velocity = ours(model, *batch())
        velocity.pow(2).mean().backward()
        results.append((velocity, gradients(model)))
    assert torch.equal(results[0][0], results[1][0]) and same(results[0][1], results[1][1])


def test_what_was_looked_up_ahead_is_not_computed_again(monkeypatch):
    model = hosted()
    plain = [ours(adapted(), *batch(seed)) for seed in (1, 2, 3)]
    calls = visits_of(model, monkeypatch)
    look_ahead(model, [Conditions(batch(seed)[1] * 1.0, batch(seed)[3], 3.5) for seed in (1, 2)], CPU, torch.float32)
    assert calls == [2]
    found = [ours(model, *batch(seed)) for seed in (1, 2)]
    assert calls == [2] and all(torch.equal(one, other) for one, other in zip(found, plain, strict=False))
    assert torch.equal(ours(model, *batch(3)), plain[2]) and calls == [2, 1]


def test_its_weights_leave_the_model():
    model = hosted()
    assert not [name for name, _ in model.named_parameters() if "norm1.linear" in name or "norm.linear" in name]
    assert table_of(adapted()) is None and table_of(model) is not None


@pytest.mark.parametrize("changes", [{}, {"regularization__enabled": 1}])
def test_a_run_with_its_modulation_on_the_host_is_the_same_run(short_run, monkeypatch, changes):
    plain = run_of(short_run(run__name="plain", **changes))
    go(plain)
    monkeypatch.setattr(train_module, "rungs_for", lambda *given: [(MemoryPlan(False, 0, 2, True), None)])
    monkeypatch.setattr(train_module, "plan_words", lambda *given: "a test")
    run = run_of(short_run(run__name="hosted", **changes))
    go(run, after_steps(2, run))
    go(run, resume=True)
    assert losses_of(run) == losses_of(plain) and same(weights_of(run), weights_of(plain))
