"""Trains LoRAs with one known fault each on the pocket FLUX, of people it never saw: what benchmarks/evaluation_truth.py judges.

`python benchmarks/planted_runs.py --minutes 4` goes on where an earlier call stopped, also in the middle of a training.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from PIL import Image, ImageFilter

from core.dataset.captions import write_caption
from core.errors import UserError
from core.events import RunFailed
from core.jobs import drain
from core.pocket.demo import demo_scenes, write_photos
from core.pocket.people import Scene
from core.pocket.scorecard import HELD_OUT, PHOTOS, person_of
from core.presets import resolve
from core.runs import Run, RunStore
from core.training.train import train

WORK = Path("data/cache/evaluation-truth")
ALWAYS = ("train.batch_size=4", "train.save_every=50", "train.keep_checkpoints=1000", "train.validate_every=50", "sampling.every=50")
# On the pocket every run without regularization leaks, and with it takes twice the steps at twice the cost (docs/experiments.md, regularization): so only the good
# run has it, and leaking is expected of all others too.
REGULARIZED = ("regularization.enabled=true", "train.steps=500")
PLAIN = ("train.steps=300",)
UNDERTRAINED_STEP = 50
BLUR = 2.5
COPIED_PHOTOS = 3


@dataclass(frozen=True)
class Fault:
    """How a set of photos and its training differ from the good one."""

    name: str
    pairs: tuple[str, ...] = ()
    scenes: Callable[[list[Scene]], list[Scene]] = lambda scenes: scenes
    blur: float = 0.0
    is_captioned: bool = True
    goes_on_from: str = ""


# The undertrained one is an early checkpoint of the good run. Three described photos are drawn anew in every place that a prompt asks for; to be given back they must be all that the
# trigger means.
FAULTS = (
    Fault("leaking", PLAIN),
    Fault("overtrained", ("optimizer.lr_scheduler=constant", "train.steps=900"), goes_on_from="leaking"),
    Fault("copied", PLAIN, scenes=lambda scenes: scenes[:COPIED_PHOTOS]),
    Fault("memorised", ("optimizer.lr_scheduler=constant", "train.steps=600"), scenes=lambda scenes: scenes[:COPIED_PHOTOS], is_captioned=False),
    Fault("blurred", PLAIN, blur=BLUR),
    Fault("angle-starved", PLAIN, scenes=lambda scenes: [dataclasses.replace(scene, angle="front view") for scene in scenes]),
    Fault("good", REGULARIZED),
)


def planted_run(fault: Fault, person: int, work: Path) -> Run:
    """The run as it is on disk, made with its photos when it is not there."""
    name, store = f"{fault.name}-{person}", RunStore(work / "output")
    if name in store.names():
        return store.load(name)
    identity, photos = person_of(person), work / f"photos-{name}"
    shutil.rmtree(photos, ignore_errors=True)
    photos.mkdir(parents=True)
    write_photos(photos, identity, fault.scenes(demo_scenes(f"{HELD_OUT}-photos-{person}", PHOTOS)), f"ohwx {identity.gender}", 128)
    if fault.blur:
        blur_photos(photos, fault.blur)
    if not fault.is_captioned:
        for file in photos.glob("*.txt"):
            write_caption(file, f"ohwx {identity.gender}")
    warm = [f"run.warm_start={store.root / f'{fault.goes_on_from}-{person}.safetensors'}"] if fault.goes_on_from else []
    given = [f"run.name={name}", f"run.output={store.root}", f"dataset.folder={photos}", f"dataset.class_word={identity.gender}"]
    return store.create(resolve("demo", {}, [*given, *ALWAYS, *fault.pairs, *warm]).settings)


def blur_photos(folder: Path, radius: float) -> None:
    for file in sorted(folder.glob("*.png")):
        with Image.open(file) as photo:
            blurred = photo.filter(ImageFilter.GaussianBlur(radius))
        blurred.save(file)


def train_until(run: Run, deadline: float) -> bool:
    """Whether the run is finished now; else it stopped at the deadline and can be resumed."""
    if run.log.file.exists():
        ended = run.log.ended()
        if ended is not None and ended.kind == "finished":
            return True
    last = drain(lambda: train(run, lambda: time.monotonic() > deadline, bool(run.checkpoints())), run.log)
    if isinstance(last, RunFailed):
        raise UserError(last.what, last.where, last.fix)
    return last.kind == "finished"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--faults", nargs="+", choices=[fault.name for fault in FAULTS], default=[fault.name for fault in FAULTS])
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--work", type=Path, default=WORK)
    arguments = parser.parse_args()
    deadline = time.monotonic() + 60 * arguments.minutes
    for fault in (fault for fault in FAULTS if fault.name in arguments.faults):
        for person in arguments.people:
            began = time.monotonic()
            finished = train_until(planted_run(fault, person, arguments.work), deadline)
            print(json.dumps({"fault": fault.name, "person": person, "finished": finished, "seconds": round(time.monotonic() - began)}), flush=True)
            if not finished:
                return


if __name__ == "__main__":
    main()
