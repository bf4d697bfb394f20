"""What regularization does on the pocket FLUX: does the person leak into pictures of the class, and does likeness suffer?

`python benchmarks/regularization.py` trains the same people with and without, then draws scenes with and without the trigger word. The regularized run
has twice the steps, because the person comes in more slowly: what counts is the leak at equal identity.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.identity.drawn import load_judge
from core.identity.faces import JUDGE_FILE
from core.jobs import drain
from core.pocket.demo import demo_scenes
from core.pocket.people import scene_caption
from core.pocket.scorecard import draw_pictures, likeness_of, person_of, settings_for
from core.runs import RunStore
from core.settings import POCKET_FLUX
from core.training.train import train

WAYS = {"plain": (), "regularized": ("regularization.enabled=true", "train.steps=800")}
SCENES = 16
STRENGTHS = (0.0, 0.5, 0.8, 1.0, 1.2)


def measure(person: int, way: str, work: Path, judge) -> dict[str, dict[str, float]]:
    """By strength, the mean cosine likeness to the person over that of the base model on the same seeds: with the trigger word, and with the class word alone."""
    settings = settings_for(f"{way}-{person}", person, work, *WAYS[way])
    store = RunStore(Path(settings.run.output))
    shutil.rmtree(store.root / settings.run.name, ignore_errors=True)
    run = store.create(settings)
    drain(lambda: train(run, lambda: False, False), run.log)
    wanted, scenes = likeness_of(judge, person_of(person)), demo_scenes(f"leak-{person}", SCENES)
    gained = {}
    for what, subject in (("identity", f"ohwx {settings.dataset.class_word}"), ("leak", settings.dataset.class_word)):
        pictures = draw_pictures(settings, [scene_caption(scene, subject) for scene in scenes], STRENGTHS, store)
        likeness = {strength: (judge.embed(pictures[strength]) @ wanted).mean().item() for strength in STRENGTHS}
        gained[what] = {f"{strength:g}": round(likeness[strength] - likeness[0.0], 3) for strength in STRENGTHS[1:]}
    return gained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path("data/cache/regularization"))
    arguments = parser.parse_args()
    judge = load_judge(Path(POCKET_FLUX) / JUDGE_FILE)
    for person in range(arguments.people):
        print(json.dumps({"person": person, **{way: measure(person, way, arguments.work, judge) for way in WAYS}}), flush=True)


if __name__ == "__main__":
    main()
