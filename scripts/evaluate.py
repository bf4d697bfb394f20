"""Draws the strength grid of a run or LoRA file: `python scripts/evaluate.py RUN_OR_FILE [--strengths 0.5 0.8 1.0 1.2]`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.errors import UserError
from core.evaluation.grid import STRENGTHS, evaluations_folder, parse_strengths
from core.evaluation.prompts import prompts_file, read_prompts
from core.presets import resolve
from core.runs import RunStore
from core.settings import Settings
from core.tasks import evaluate_here, grid_request
from scripts.console import ProgressLine, exit_code, run_command, stop_on_signals


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_or_file", help="name of a run, or path of a .safetensors file")
    parser.add_argument("--strengths", nargs="+", default=[f"{s:g}" for s in STRENGTHS], help="LoRA strengths; 0 is the base model")
    parser.add_argument("--prompts", type=Path, help="file with one prompt per line; default presets/sample_prompts.txt")
    parser.add_argument("--preset", default="fast", help="where picture size and sampler come from for a file that is no run's")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, such as sampling.seed=7")
    arguments = parser.parse_args()

    resolved = resolve(arguments.preset, os.environ, arguments.set)
    store = RunStore(Path(resolved.settings.run.output))
    settings, lora = _find(arguments.run_or_file, store, resolved.settings)
    prompts = read_prompts(arguments.prompts or prompts_file(settings.model.path))
    request = grid_request(settings, str(lora), prompts, parse_strengths(" ".join(arguments.strengths)))
    stop_on_signals(store)
    name, last = evaluate_here(request, store, ProgressLine())
    print(f"Pictures: {evaluations_folder(store.root) / name}")
    return exit_code(last)


def _find(run_or_file: str, store: RunStore, fallback: Settings) -> tuple[Settings, Path]:
    """The settings a LoRA is drawn with, and its file."""
    if run_or_file in store.names():
        run = store.load(run_or_file)
        return run.settings, run.lora_file.resolve()
    file = Path(run_or_file)
    if file.suffix == ".safetensors" and file.is_file():
        own_run = file.stem if file.stem in store.names() else None
        return (store.load(own_run).settings if own_run else fallback), file.resolve()
    raise UserError(f"'{run_or_file}' is neither a run nor a LoRA file.", str(store.root), f"Runs here: {', '.join(store.names()) or 'none yet'}.")


if __name__ == "__main__":
    sys.exit(run_command(main))
