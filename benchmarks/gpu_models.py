"""Text encoders, sampler and strength grid of a full-size FLUX.1-dev with random weights: `python benchmarks/gpu_models.py`; toy size without a GPU."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from rows import Row, measure_rows

KEPT = Path("data/benchmarks/gpu_models.jsonl")
STRENGTHS = (0.5, 0.8, 1.0, 1.2)
CAPTION = "portrait of ohwx person, wearing a red shirt, outdoors"


def rows() -> list[Row]:
    return [{"kind": "encoders"}] + [{"kind": "sampler", "side": side, "steps": 28} for side in (512, 1024)]


def measure(row: Row) -> Row:
    from gpu_steps import machine

    return {**machine(), **(encoders(row) if row["kind"] == "encoders" else sampler(row))}


def encoders(row: Row) -> Row:
    """Loading, one caption, and what is left on the device when they have gone."""
    import torch
    from training import ROOT, hardware_here, random_encoders, size_here
    from transformers import CLIPTokenizer, T5Tokenizer

    from core.flux.encode import encode_prompt
    from core.flux.models import TextEncoders, free_memory
    from core.settings import POCKET_FLUX

    size, hardware = size_here(), hardware_here()
    before = held()
    clip, t5 = random_encoders(size, hardware)
    folder = ROOT / POCKET_FLUX
    models = TextEncoders(CLIPTokenizer.from_pretrained(folder / "tokenizer"), clip, T5Tokenizer.from_pretrained(folder / "tokenizer_2", model_max_length=size.text), t5, size.text)
    taken = held() - before
    seconds, _ = least(partial(encode_prompt, models, CAPTION), 4)
    parameters = sum(parameter.numel() for model in (clip, t5) for parameter in model.parameters())
    del clip, t5, models
    free_memory()
    return {"parameters": parameters, "caption_s": round(seconds, 4), "gib": round(taken / 2**30, 2), "left_behind_mib": round((held() - before) / 2**20, 1), "peak_gib": round((torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0) / 2**30, 2)}


def sampler(row: Row) -> Row:
    """One picture, then the four strengths one after the other and together."""
    import torch
    from gpu_steps import side_here
    from training import hardware_here, random_transformer, size_here

    from core.flux.encode import PromptEmbeds
    from core.flux.lora import add_lora
    from core.flux.sampler import Drawing, draw_latents

    size, hardware = size_here(), hardware_here()
    transformer = random_transformer(size, hardware)
    for parameter in add_lora(transformer, 32, 32, "attn-mlp", seed=0):
        parameter.data.normal_(0, 0.01)
    transformer.eval()
    config, side = transformer.config, side_here(row["side"])
    prompt = PromptEmbeds(torch.randn(1, size.text, config.joint_attention_dim), torch.randn(1, config.pooled_projection_dim))
    drawing = Drawing(side, side, row["steps"], 3.5)

    def draw(*strengths: float) -> torch.Tensor:
        return draw_latents(transformer, prompt, 1, strengths, drawing, hardware)

    draw(1.0)
    one, _ = least(lambda: draw(1.0), 2)
    serial, single = least(lambda: torch.cat([draw(strength) for strength in STRENGTHS]), 1)
    alone = peak()
    together, grid = least(lambda: draw(*STRENGTHS), 1)
    return {
        "picture_s": round(one, 3), "serial_s": round(serial, 3), "together_s": round(together, 3), "largest_difference": (single - grid).abs().max().item(),
        "peak_one_gib": alone, "peak_together_gib": peak(),
    }  # fmt: skip


def least(work: Callable[[], object], times: int) -> tuple[float, object]:
    """Seconds of the quickest of so many runs, and its result (which is on the host, so the device has finished)."""
    best, result = float("inf"), None
    for _ in range(times):
        began = time.monotonic()
        result = work()
        best = min(best, time.monotonic() - began)
    return best, result


def held() -> int:
    import torch

    return torch.cuda.memory_allocated() if torch.cuda.is_available() else 0


def peak() -> float:
    import torch

    return round(torch.cuda.max_memory_allocated() / 2**30, 2) if torch.cuda.is_available() else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=json.loads, help="one row, in this process")
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(arguments.row)))
        return
    measure_rows(__file__, rows(), KEPT)


if __name__ == "__main__":
    main()
