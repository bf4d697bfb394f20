"""Trains a LoRA without the page: `python scripts/train.py --preset fast [--set key=value ...]`, with the same lock and log.

On several GPUs: `accelerate launch scripts/train.py ...`; the batches of each step are shared out, the result is the same.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.presets import preset_names, resolve
from core.runs import RunStore
from core.settings import Settings
from core.tasks import interrupted_run, named, resume_here, train_here, train_together
from scripts.console import DONE, FAILED, ProgressLine, exit_code, run_command, stop_on_signals


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="fast", help="fast, final, demo or the name of a file in presets/")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, such as train.steps=2000 (docs/settings.md lists all)")
    parser.add_argument("--resume", metavar="RUN", help="go on with a stopped, failed or interrupted run from its newest checkpoint")
    parser.add_argument("--presets", action="store_true", help="list the presets and leave")
    arguments = parser.parse_args()

    if arguments.presets:
        print("\n".join(preset_names()))
        return DONE
    resolved = resolve(arguments.preset, os.environ, arguments.set)
    store = RunStore(Path(resolved.settings.run.output))
    settings = named(resolved, store)
    if is_on("DRY_RUN"):
        from core.training.plan import render_plan

        print(render_plan(resolved, arguments.resume or settings.run.name))
        return DONE
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return train_as_one_of_many(settings, store)
    stop_on_signals(store.stop_request())
    resume = arguments.resume or (interrupted_run(store) if is_on("AUTO_RESUME") else None)
    if resume:
        print(f"Going on with run '{resume}'")
        return exit_code(resume_here(resume, store, ProgressLine()))
    print(f"Run '{settings.run.name}', preset {resolved.preset}")
    return exit_code(train_here(settings, store, ProgressLine(), resolved.preset))


def train_as_one_of_many(settings: Settings, store: RunStore) -> int:
    from core.training.world import join_world

    world = join_world()
    if world.is_main:
        stop_on_signals(store.stop_request())
        print(f"Run '{settings.run.name}' on {world.size} processes")
    listen = ProgressLine() if world.is_main else lambda event: None
    return DONE if train_together(settings, store, listen, world) else FAILED


def is_on(variable: str) -> bool:
    return os.environ.get(variable, "") not in ("", "0")


if __name__ == "__main__":
    sys.exit(run_command(main))
