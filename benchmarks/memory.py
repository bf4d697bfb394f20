"""The memory forecast against what a training step takes: `python benchmarks/memory.py` prints a line per layout.

`--cards` prints on paper which layout the presets get on cards of several sizes.
On a GPU with a full-size FLUX.1-dev of random weights (`--full`), else with the random model of middle size: there the peak of the process over what its libraries take.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

LAYOUTS = [(int8, part, most, host) for int8 in (0, 1) for part in (0, 2, 1) for most in (1, 4) for host in (0, 1)]


def resident_peak() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def measure(int8: bool, part: int, most: int, host: bool, full: bool, side: int, rank: int) -> dict[str, object]:
    """One layout in this process: `part` 0 is no checkpointing, 1 all blocks, 2 half of them."""
    import torch
    from step import model as middle_size
    from training import FULL, hardware_here, lay_out, model_shape, random_transformer, training_of

    from core.training.memory import WORKSPACE, MemoryPlan, forecast
    from core.training.step import train_step

    on_gpu, hardware = torch.cuda.is_available(), hardware_here()
    torch.ones(512, 512, device=hardware.device) @ torch.ones(512, 512, device=hardware.device)
    before = 0 if on_gpu else resident_peak()
    transformer = random_transformer(FULL, hardware) if full else middle_size(hardware.device.type)
    shape = model_shape(transformer)
    blocks = shape.double_blocks + shape.single_blocks
    plan = MemoryPlan(int8, {0: 0, 1: blocks, 2: blocks // 2}[part], most, host)
    lay_out(transformer, plan)
    text = FULL.text if full else 64
    state, parts = training_of(transformer, plan, hardware, rank, side, text, most)
    for _ in range(3):
        train_step(state, parts, lambda: False)
    peak = torch.cuda.max_memory_allocated() if on_gpu else resident_peak() - before
    said = forecast(shape, plan, hardware.dtype.itemsize, rank, "attn-mlp", side * side // 256 + text).total - (0 if on_gpu else WORKSPACE)
    return {"int8": int8, "checkpointed": plan.checkpointed, "pictures_a_forward": most, "modulation_on_host": host, "forecast_mib": round(said / 2**20), "peak_mib": round(peak / 2**20), "ratio": round(said / peak, 2)}


def on_paper(preset: str, gib: int) -> dict[str, object]:
    """The layout a preset's largest picture gets on a card of which 97 % less 0.6 GiB are free."""
    import torch
    from training import FULL, model_shape, random_transformer

    from core.errors import Refused
    from core.flux.models import Hardware
    from core.presets import resolve
    from core.training.layout import rungs_for
    from core.training.memory import GIB
    from core.training.preflight import layout_words

    settings = resolve(preset, {}).settings
    tokens = settings.dataset.resolution**2 // 256 + FULL.text
    shape = model_shape(random_transformer(FULL, Hardware(torch.device("meta"), torch.bfloat16)))
    row = {"preset": preset, "card_gib": gib}
    try:
        plan, needs = rungs_for(settings, shape, tokens, int((gib * 0.97 - 0.6) * GIB), Hardware(torch.device("cuda"), torch.bfloat16))[0]
    except Refused as refused:
        return {**row, "refused": refused.what}
    return {**row, "layout": layout_words(plan, shape), "gib": round(needs.total / GIB, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="FLUX.1-dev's own size")
    parser.add_argument("--side", type=int, default=256, help="pixels")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--cards", type=int, nargs="+", metavar="GIB")
    parser.add_argument("--one", nargs=4, type=int, metavar=("INT8", "PART", "MOST", "HOST"))
    arguments = parser.parse_args()
    if arguments.one:
        int8, part, most, host = arguments.one
        print(json.dumps(measure(bool(int8), part, most, bool(host), arguments.full, arguments.side, arguments.rank)))
        return
    if arguments.cards:
        for preset in ("fast", "final"):
            for gib in arguments.cards:
                print(json.dumps(on_paper(preset, gib)), flush=True)
        return
    for layout in LAYOUTS:
        command = [sys.executable, __file__, "--side", str(arguments.side), "--rank", str(arguments.rank), *(["--full"] if arguments.full else []), "--one", *map(str, layout)]
        answer = subprocess.run(command, capture_output=True, text=True)
        print(answer.stdout.splitlines()[-1] if answer.returncode == 0 else json.dumps({"layout": layout, "failed": answer.stderr.splitlines()[-1]}), flush=True)


if __name__ == "__main__":
    main()
