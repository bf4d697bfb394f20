"""Draws and measures a run or LoRA file: `python scripts/evaluate.py RUN [--recommend]`; or compares what was measured: `--compare RUN RUN`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.durable import write_json
from core.errors import UserError
from core.evaluation.choice import sources_of
from core.evaluation.compare import as_json, as_text, evaluations_of, headline_words, table_rows
from core.evaluation.grid import STRENGTHS, evaluations_folder, grid_names, parse_strengths
from core.evaluation.job import Aim, EvaluationJob, grid_request, load_job
from core.evaluation.prompts import prompts_file, read_prompts
from core.presets import resolve
from core.runs import RunStore
from core.settings import Settings
from core.tasks import evaluate_here, new_grid_name
from scripts.console import ProgressLine, exit_code, run_command, stop_on_signals


def main() -> int:
    arguments = _parser().parse_args()
    resolved = resolve(arguments.preset, os.environ, arguments.set)
    store = RunStore(Path(resolved.settings.run.output))
    if arguments.compare:
        return _show(arguments.compare, store, arguments.json)
    if arguments.resume:
        name, job = arguments.resume, load_job(arguments.resume, store.root)
    else:
        job = _job(arguments, resolved.settings, store)
        name = new_grid_name(job.request, store)
    stop_on_signals(store.stop_request(), "Stopping; what is drawn is kept. Ctrl+C again ends at once.")
    last = evaluate_here(job, name, store, ProgressLine())
    if name in grid_names(store.root):
        _show([name], store, arguments.json)
        print(f"Pictures: {evaluations_folder(store.root) / name}")
    if last.kind == "stopped":
        print(f"Go on with: python scripts/evaluate.py --resume {name}")
    return exit_code(last)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_or_file", nargs="?", help="name of a run, or path of a .safetensors file")
    parser.add_argument("--recommend", action="store_true", help="find the best checkpoint and strength: a first look at all checkpoints, a closer one at the best")
    parser.add_argument("--twins", action="store_true", help="compare the LoRA with itself without its text-encoder part")
    parser.add_argument("--checkpoints", action="store_true", help="a row for every checkpoint of the run")
    parser.add_argument("--strengths", nargs="+", default=[f"{s:g}" for s in (0.0, *STRENGTHS)], help="LoRA strengths; 0 is the base model")
    parser.add_argument("--seeds", type=int, default=1, help="seeds per prompt; diversity needs two")
    parser.add_argument("--prompts", type=Path, help="file with one prompt per line; default presets/sample_prompts.txt, or the base model's own")
    parser.add_argument("--resume", metavar="NAME", help="go on with a stopped evaluation")
    parser.add_argument("--compare", nargs="+", metavar="NAME", help="one table of evaluations, by their names or the newest of a run; draws nothing")
    parser.add_argument("--json", type=Path, help="write the same numbers into this file")
    parser.add_argument("--preset", default="fast", help="where picture size and sampler come from for a file that is no run's")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, such as sampling.seed=7 or evaluation.text_image_model=models/clip")
    return parser


def _job(arguments: argparse.Namespace, today: Settings, store: RunStore) -> EvaluationJob:
    if not arguments.run_or_file:
        raise UserError("There is nothing to evaluate.", "command line", "Name a run or a LoRA file; or use --compare or --resume.")
    settings, lora = _find(arguments.run_or_file, store, today)
    prompts = read_prompts(arguments.prompts or prompts_file(settings.model.path))
    request = grid_request(settings, lora, prompts, parse_strengths(" ".join(arguments.strengths)), today.evaluation)
    changes: dict[str, object] = {"seeds_each": arguments.seeds}
    if arguments.checkpoints:
        changes["sources"] = tuple(sources_of(lora, store.root))
    aim: Aim = "choose" if arguments.recommend else "twins" if arguments.twins else "grid"
    return EvaluationJob(aim=aim, request=request.model_copy(update=changes))


def _show(names: list[str], store: RunStore, file: Path | None) -> int:
    evaluations = evaluations_of(names, store.root)
    print(as_text(table_rows(evaluations)))
    for evaluation in evaluations:
        print(f"{evaluation.grid.name}: {headline_words(evaluation)}")
    if file:
        write_json(file, as_json(evaluations))
    return 0


def _find(run_or_file: str, store: RunStore, fallback: Settings) -> tuple[Settings, str]:
    """The settings a LoRA is drawn with, and its file: a name in the output folder, or an absolute path."""
    if run_or_file in store.names():
        run = store.load(run_or_file)
        return run.settings, run.lora_file.name
    file = Path(run_or_file)
    if file.suffix == ".safetensors" and file.is_file():
        own_run = file.stem if file.stem in store.names() else None
        inside = file.resolve().parent == store.root.resolve()
        return (store.load(own_run).settings if own_run else fallback), file.name if inside else str(file.resolve())
    raise UserError(f"'{run_or_file}' is neither a run nor a LoRA file.", str(store.root), f"Runs here: {', '.join(store.names()) or 'none yet'}.")


if __name__ == "__main__":
    sys.exit(run_command(main))
