"""Whole runs on a full-size FLUX.1-dev folder with random weights (34 GB on the disk): forced lack of memory, resume after a kill, NaN, and the Fast profile end to end.

`python benchmarks/gpu_runs.py`; toy size without a GPU. Everything lies in data/benchmarks/.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from rows import Row, measure_rows

PLACE = Path("data/benchmarks")
STEPS = 12


def rows(soak_steps: int) -> list[Row]:
    return [{"kind": kind, "steps": STEPS} for kind in ("out-of-memory", "resume", "nan")] + [{"kind": "soak", "steps": soak_steps}]


def measure(row: Row) -> Row:
    from gpu_steps import machine

    kinds = {"out-of-memory": out_of_memory, "resume": resume, "nan": not_a_number, "soak": soak}
    return {**machine(), **kinds[row["kind"]](row)}


def out_of_memory(row: Row) -> Row:
    """The device refuses its memory in the second step: by a cap on a GPU, by an exception without one. Then a second run in the same process."""
    import torch

    import core.training.train as train_module

    real, calls = train_module.train_step, []

    def refused(state, parts, should_stop):
        calls.append(state.step)
        if torch.cuda.is_available():
            used = torch.cuda.max_memory_allocated() / torch.cuda.get_device_properties(0).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, 0.9 * used) if len(calls) == 2 else 1.0)
        elif len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Forced.")
        return real(state, parts, should_stop)

    train_module.train_step = refused
    events = run_of(row, "tight")
    train_module.train_step = real
    free = held()
    again = run_of({**row, "steps": 2}, "after")
    return {"ended": events[-1].kind, "said": [event.what for event in events if event.kind == "warned" and "ran out of memory" in event.what], "held_between_mib": round(free / 2**20), "next_run": again[-1].kind}


def resume(row: Row) -> Row:
    """A run that was left in the middle, as a kill leaves it, ends with the losses of an unbroken one."""
    whole = losses(run_of(row, "whole"))
    run_of(row, "broken", leave_after=row["steps"] // 2 + 1)
    broken = losses(run_of(row, "broken", resume=True))
    rest = whole[-len(broken) :]
    return {"resumed_steps": len(broken), "equal": broken == rest, "largest_difference": max(abs(one - other) for one, other in zip(broken, rest, strict=True))}


def not_a_number(row: Row) -> Row:
    """fp16, which the trainer does not offer, and an absurd learning rate: stopped before the update, with the guide's remedy."""
    import torch

    import core.training.train as train_module
    from core.errors import UserError
    from core.flux.models import Hardware

    real = train_module.choose_hardware
    train_module.choose_hardware = lambda precision: Hardware(real(precision).device, torch.float16)
    try:
        events = run_of(row, "nan", **{"optimizer.learning_rate": 0.1, "optimizer.max_grad_norm": 0, "optimizer.lr_scheduler": "constant", "lora.alpha": 512, "train.steps": 200})
    except UserError as error:
        return {"stopped": True, "what": error.what, "fix": error.fix}
    return {"stopped": False, "largest_loss": max(losses(events))}


def soak(row: Row) -> Row:
    """Fast with samples and checkpoints."""
    began = time.monotonic()
    events = run_of(row, "soak", **{"sampling.every": max(1, row["steps"] // 3), "train.save_every": max(1, row["steps"] // 3), "train.validate_every": max(1, row["steps"] // 3)})
    steps = [event for event in events if event.kind == "step"]
    middle = sorted(event.seconds for event in steps)[len(steps) // 2]
    return {
        "ended": events[-1].kind, "minutes": round((time.monotonic() - began) / 60, 2), "step_s": round(middle, 4), "steps_minutes": round(sum(event.seconds for event in steps) / 60, 2),
        "memory_first_gib": steps[0].memory_gib, "memory_last_gib": steps[-1].memory_gib, "images": sum(event.kind == "image" for event in events), "checkpoints": sum(event.kind == "checkpoint" for event in events),
    }  # fmt: skip


def run_of(row: Row, name: str, resume: bool = False, leave_after: int | None = None, **changes: object) -> list:
    """Events of a run on 16 drawn photos with the Fast profile; the run of that name is made anew unless it is resumed."""
    import shutil

    from core.presets import resolve
    from core.runs import RunStore
    from core.training.train import train

    store = RunStore(PLACE / "runs")
    if not resume:
        shutil.rmtree(store.root / name, ignore_errors=True)
        store.root.mkdir(parents=True, exist_ok=True)
        pairs = {"run.name": name, "run.output": store.root, "model.path": model_here(), "dataset.folder": photos_here(), "train.steps": row["steps"], "train.save_every": 4, "train.validate_every": 0, "sampling.every": 0, **sizes_here(), **changes}
        store.create(resolve("fast", {}, [f"{key}={value}" for key, value in pairs.items()]).settings)
    run = store.load(name)
    events = []
    for event in train(run, lambda: False, resume):
        run.log.append(event)
        events.append(event)
        if leave_after and event.kind == "step" and event.step == leave_after:
            break
    return events


def losses(events: list) -> list[float]:
    return [event.loss for event in events if event.kind == "step"]


def sizes_here() -> dict[str, object]:
    import torch

    if torch.cuda.is_available():
        return {}
    return {"dataset.resolution": 128, "dataset.min_bucket_resolution": 64, "dataset.max_bucket_resolution": 192, "sampling.num_inference_steps": 2, "lora.rank": 4, "lora.alpha": 4}


def model_here() -> Path:
    import torch
    from training import hardware_here, size_here, write_model_folder

    return write_model_folder(PLACE / ("flux" if torch.cuda.is_available() else "flux-toy"), size_here(), hardware_here())


def photos_here() -> Path:
    import random

    from core.pocket.demo import demo_scenes, write_photos
    from core.pocket.people import random_identity

    folder = PLACE / "photos"
    if not folder.exists():
        folder.mkdir(parents=True)
        write_photos(folder, random_identity(random.Random(7)), demo_scenes("soak", 16), "ohwx person", 512)
    return folder


def held() -> int:
    import torch

    from core.flux.models import free_memory

    free_memory()
    return torch.cuda.memory_allocated() if torch.cuda.is_available() else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soak-steps", type=int, default=1500)
    parser.add_argument("--row", type=json.loads, help="one row, in this process")
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(arguments.row)))
        return
    measure_rows(__file__, rows(arguments.soak_steps), PLACE / "gpu_runs.jsonl")


if __name__ == "__main__":
    main()
