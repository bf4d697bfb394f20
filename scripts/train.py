"""Trains a LoRA without the page: `python scripts/train.py --preset fast [--set key=value ...]`, with the same lock and log."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.presets import preset_names, resolve
from core.runs import RunStore
from core.tasks import named, resume_here, train_here
from scripts.console import DONE, ProgressLine, exit_code, run_command, stop_on_signals


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
    if os.environ.get("DRY_RUN", "0") not in ("", "0"):
        from core.training.plan import render_plan

        print(render_plan(resolved, arguments.resume or settings.run.name))
        return DONE
    stop_on_signals(store)
    if arguments.resume:
        return exit_code(resume_here(arguments.resume, store, ProgressLine()))
    print(f"Run '{settings.run.name}', preset {resolved.preset}")
    return exit_code(train_here(settings, store, ProgressLine()))


if __name__ == "__main__":
    sys.exit(run_command(main))
