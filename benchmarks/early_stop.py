"""Likeness while training, and what stopping early gives and saves: `python benchmarks/early_stop.py --person 0 --every 50`.

A person the pocket FLUX never saw is trained with the demo preset to the end, every checkpoint kept. Each checkpoint's LoRA then draws the scorecard's
scenes at strength 1.0, judged by its judge; the stop is decided by the log alone, as a run would.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.events import RunEvent, RunFinished
from core.flux.checkpoint_lora import read_checkpoint_lora
from core.flux.lora_file import metadata_of, save_lora_file
from core.flux.model_folder import open_model_folder
from core.identity.drawn import load_judge
from core.identity.faces import JUDGE_FILE
from core.jobs import drain
from core.pocket.demo import demo_scenes
from core.pocket.people import scene_caption
from core.pocket.scorecard import HELD_OUT, SCENES, adherence, draw_pictures, person_of, retrieval, settings_for
from core.presets import load_preset
from core.runs import Run, RunStore
from core.settings import POCKET_FLUX
from core.signs import early_stop, held_out_at, rounds_of
from core.training.train import train

WORK = Path("data/cache/early-stop")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--person", type=int, default=0)
    parser.add_argument("--every", type=int, default=50, help="steps between rounds of samples")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--minutes", type=float, default=60, help="leave after so long; called again, it goes on")
    arguments = parser.parse_args()
    name = "-".join([f"person-{arguments.person}-{arguments.every}", *(pair.replace(".", "_").replace("=", "-") for pair in arguments.set)])
    prompts = "|".join(load_preset("demo").differences["sampling.prompts"])
    pairs = [f"sampling.every={arguments.every}", f"sampling.prompts={prompts}", f"train.save_every={arguments.every}", f"train.validate_every={arguments.every}", "train.keep_checkpoints=1000", *arguments.set]
    settings = settings_for(name, arguments.person, WORK, *pairs)
    deadline = time.monotonic() + 60 * arguments.minutes
    store = RunStore(Path(settings.run.output))
    run = store.load(name) if name in store.names() else store.create(settings)
    ended = run.log.ended()
    if not isinstance(ended, RunFinished):
        ended = drain(lambda: train(run, lambda: time.monotonic() > deadline, bool(run.log.file.exists())), run.log)
    if not isinstance(ended, RunFinished):
        print(ended.model_dump_json(exclude={"detail"}))
        return
    events = run.log.read()[0]
    print(curve(events))
    stop = decided(events)
    print("stops early:", f"at step {stop[0]}, takes step {stop[1]}" if stop else "never", flush=True)
    judge_all(run, arguments.person, store, deadline)


def curve(events: list[RunEvent]) -> str:
    rows = [f"{m.step:5} likeness {m.mean:.3f} +- {m.spread:.3f} ({m.faces} of {m.pictures}) nearest {m.nearest:.3f} copy line {m.copy_line} held out {held_out_at(events, m.step)} {m.seconds:.3f} s" for m in rounds_of(events)]
    return "\n".join(rows)


def decided(events: list[RunEvent]) -> tuple[int, int] | None:
    """(step at which a run would have stopped, step whose LoRA it would have published)."""
    for measured in rounds_of(events):
        until = [event for event in events if getattr(event, "step", 0) <= measured.step]
        stop = early_stop(until)
        if stop:
            return measured.step, stop.best_step
    return None


def judge_all(run: Run, person: int, store: RunStore, deadline: float) -> None:
    """Right person among 51 and captions obeyed, at strength 1.0, of every checkpoint."""
    judge, identity = load_judge(Path(POCKET_FLUX) / JUDGE_FILE), person_of(person)
    scenes = demo_scenes(f"{HELD_OUT}-scenes-{person}", SCENES)
    captions = [scene_caption(scene, f"ohwx {identity.gender}") for scene in scenes]
    settings, model = run.settings, open_model_folder(Path(POCKET_FLUX))
    for step, folder in reversed(run.checkpoints()):
        name = f"{run.name}-step-{step}"
        result = run.folder / f"judged-{step}.json"
        if not result.exists():
            if time.monotonic() > deadline:
                return
            save_lora_file(store.root / f"{name}.safetensors", read_checkpoint_lora(folder), settings.lora.alpha / settings.lora.rank, metadata_of(settings, model, step, 18, {}))
            one = settings.model_copy(update={"run": settings.run.model_copy(update={"name": name})})
            pictures = draw_pictures(one, captions, (1.0,), store)[1.0]
            obeyed = adherence(judge, scenes, pictures)
            result.write_text(json.dumps({"step": step, "right person": retrieval(judge, identity, person, pictures), "captions obeyed": sum(obeyed.values()) / len(obeyed)}))
        print(result.read_text(), flush=True)


if __name__ == "__main__":
    main()
