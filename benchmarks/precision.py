"""What an 8-bit base and 8-bit products cost: losses of the demo training on the pocket FLUX, and errors of real-width layers. `python benchmarks/precision.py`"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from torch import nn

from core.flux.int8 import Int8Linear
from core.presets import resolve
from core.runs import RunStore
from core.training.train import train

BASES = {"full": {"model.base": "full"}, "int8": {"model.base": "int8"}, "int8, 8-bit products": {"model.base": "int8", "model.int8_products": True}, "bf16": {"model.base": "full", "model.precision": "bf16"}}
# Inputs and outputs of FLUX.1-dev's layers.
WIDTHS = ((3072, 3072), (3072, 12288), (12288, 3072), (15360, 3072))


def training(changes: dict[str, object], steps: int) -> dict[str, float]:
    """Loss on fixed noise before and after, of trained and of held-out photos."""
    with tempfile.TemporaryDirectory() as output:
        pairs = {"run.name": "precision", "run.output": output, "train.steps": steps, "train.validate_every": steps, "train.save_every": 10_000, "sampling.every": 0, **changes}
        run = RunStore(Path(output)).create(resolve("demo", {}, [f"{key}={value}" for key, value in pairs.items()]).settings)
        fixed = [event for event in train(run, lambda: False, resume=False) if event.kind == "fixed_noise"]
    return {"before": round(fixed[0].loss, 5), "after": round(fixed[-1].loss, 5), "held_out_after": round(fixed[-1].held_out or 0, 5)}


def layer_errors(inner: int, outer: int) -> dict[str, float]:
    """Relative error of outputs and input gradients against float64, for weights and inputs with a few large values, as FLUX's have."""
    torch.manual_seed(inner + outer)
    linear = nn.Linear(inner, outer, bias=False)
    x = torch.randn(64, inner) * torch.exp(0.5 * torch.randn(inner))
    grad = torch.randn(64, outer)
    exact, exact_grad = x.double() @ linear.weight.double().t(), grad.double() @ linear.weight.double()
    errors = {}
    with torch.no_grad():
        for name, layer in (("int8", Int8Linear.of(linear)), ("int8 products", Int8Linear.of(linear, True))):
            errors |= {name: _error(layer.product(x), exact), f"{name}, gradient": _error(layer.input_gradient(grad), exact_grad)}
        bf16 = linear.weight.bfloat16()
        errors |= {"bf16": _error(x.bfloat16() @ bf16.t(), exact), "bf16, gradient": _error(grad.bfloat16() @ bf16, exact_grad)}
    return errors


def _error(got: torch.Tensor, exact: torch.Tensor) -> float:
    return round(((got.double() - exact).norm() / exact.norm()).item(), 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--bases", nargs="*", default=list(BASES), help="which trainings")
    arguments = parser.parse_args()
    for inner, outer in WIDTHS:
        print(json.dumps({"inputs": inner, "outputs": outer, **layer_errors(inner, outer)}), flush=True)
    for name in arguments.bases:
        print(json.dumps({"base": name, "steps": arguments.steps, **training(BASES[name], arguments.steps)}), flush=True)


if __name__ == "__main__":
    main()
