"""Measures the pocket FLUX on people it never saw: `python -m core.pocket.scorecard` trains a LoRA of each and looks.

Per person: 18 captioned photos, the demo preset, then new scenes at strengths 0, 0.5, 0.8 and 1.0, judged by the drawn judge:
does the picture show what the caption says, and is it this person rather than one of 50 others?
"""

from __future__ import annotations

import argparse
import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from core.durable import read_json, write_json
from core.errors import UserError
from core.evaluation.evaluate import evaluate
from core.evaluation.grid import GridRequest, evaluations_folder, load_grid
from core.events import RunFailed, RunFinished
from core.identity.drawn import DrawnJudge, load_judge
from core.identity.faces import JUDGE_FILE
from core.jobs import drain
from core.pocket.demo import demo_scenes, write_photos
from core.pocket.drawing import draw
from core.pocket.drawings import LABELS, labels_of
from core.pocket.people import Identity, Scene, random_identity, scene_caption
from core.presets import resolve
from core.runs import EventLog, RunStore
from core.settings import POCKET_FLUX, Settings
from core.training.train import train

STRENGTHS = (0.0, 0.5, 0.8, 1.0)
PHOTOS, SCENES, DECOYS, VIEWS_PER_DECOY = 18, 12, 50, 6
# A namespace of seeds that core.pocket.drawings never uses: these people are in no training picture.
HELD_OUT = "held-out"


@dataclass(frozen=True)
class PersonScore:
    """Shares of right answers by strength; adherence also by attribute."""

    person: int
    retrieval: dict[str, float]
    adherence: dict[str, dict[str, float]]
    train_seconds: float
    grid_seconds: float
    memory_gib: float


def score_person(person: int, work: Path, judge: DrawnJudge) -> PersonScore:
    """Train, draw, judge; resumes with what an earlier call finished."""
    identity = person_of(person)
    file = work / f"person-{person}.json"
    if file.exists():
        return PersonScore(**read_json(file))
    settings = settings_for(f"person-{person}", person, work)
    store = RunStore(Path(settings.run.output))
    shutil.rmtree(store.root / settings.run.name, ignore_errors=True)
    run = store.create(settings)
    trained = drain(lambda: train(run, lambda: False, False), run.log)
    if isinstance(trained, RunFailed):
        raise UserError(trained.what, trained.where, trained.fix)
    memory = max(event.memory_gib for event in run.log.read()[0] if event.kind == "step")
    scenes = demo_scenes(f"{HELD_OUT}-scenes-{person}", SCENES)
    began = time.monotonic()
    pictures = draw_pictures(settings, [scene_caption(scene, f"ohwx {identity.gender}") for scene in scenes], STRENGTHS, store)
    grid_seconds = time.monotonic() - began
    names = [f"{strength:g}" for strength in STRENGTHS]
    score = PersonScore(
        person,
        {name: retrieval(judge, identity, person, pictures[strength]) for name, strength in zip(names, STRENGTHS, strict=True)},
        {name: adherence(judge, scenes, pictures[strength]) for name, strength in zip(names, STRENGTHS, strict=True)},
        trained.seconds if isinstance(trained, RunFinished) else 0.0,
        grid_seconds,
        memory,
    )
    write_json(file, vars(score))
    return score


def retrieval(judge: DrawnJudge, identity: Identity, person: int, pictures: list[Image.Image]) -> float:
    """Share of pictures nearer to this person than to any of the decoys; each is the mean of a few drawings."""
    people = [identity] + [random_identity(random.Random(f"{HELD_OUT}-decoy-{person}-{number}")) for number in range(DECOYS)]
    gallery = torch.stack([likeness_of(judge, other) for other in people])
    nearest = (judge.embed(pictures) @ gallery.T).argmax(dim=1)
    return (nearest == 0).float().mean().item()


def adherence(judge: DrawnJudge, scenes: list[Scene], pictures: list[Image.Image]) -> dict[str, float]:
    """Share of pictures that show what was asked, per attribute; facing only where there is a side to face."""
    seen = judge.describe(pictures)
    wanted = torch.tensor([labels_of(scene) for scene in scenes])
    shares = {}
    for column, name in enumerate(LABELS):
        counts = torch.tensor([name != "facing" or scene.angle != "front view" for scene in scenes])
        shares[name] = (seen[name] == wanted[:, column])[counts].float().mean().item()
    return shares


def person_of(number: int) -> Identity:
    return random_identity(random.Random(f"{HELD_OUT}-{number}"))


def likeness_of(judge: DrawnJudge, identity: Identity) -> torch.Tensor:
    """A person's unit embedding, (64,): the mean of a few drawings."""
    views = [draw(identity, scene) for scene in demo_scenes(f"{HELD_OUT}-views", VIEWS_PER_DECOY)]
    return torch.nn.functional.normalize(judge.embed(views).mean(dim=0), dim=0)


def settings_for(name: str, person: int, work: Path, *pairs: str) -> Settings:
    """The demo preset on that person's photos, which are drawn anew; `pairs` are laid over it."""
    identity, photos = person_of(person), work / f"photos-{person}"
    shutil.rmtree(photos, ignore_errors=True)
    photos.mkdir(parents=True)
    write_photos(photos, identity, demo_scenes(f"{HELD_OUT}-photos-{person}", PHOTOS), f"ohwx {identity.gender}", 128)
    given = [f"run.name={name}", f"run.output={work / 'output'}", f"dataset.folder={photos}", f"dataset.class_word={identity.gender}", "sampling.every=0"]
    return resolve("demo", {}, [*given, *pairs]).settings


def draw_pictures(settings: Settings, prompts: list[str], strengths: tuple[float, ...], store: RunStore) -> dict[float, list[Image.Image]]:
    """The run's LoRA at each strength, a picture for every prompt."""
    name, size, sampling = settings.run.name, settings.dataset.resolution, settings.sampling
    request = GridRequest(
        lora=f"{name}.safetensors", model_path=settings.model.path, prompts=tuple(prompts), strengths=strengths, width=size, height=size,
        num_inference_steps=sampling.num_inference_steps, guidance_scale=sampling.guidance_scale, text_length=settings.model.text_length,
    )  # fmt: skip
    folder = evaluations_folder(store.root) / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    drain(lambda: evaluate(request, name, store.root, lambda: False), EventLog(folder / "events.jsonl"))
    grid = load_grid(name, store.root)
    return {strength: [Image.open(folder / grid.cell(row, strength).file).convert("RGB") for row in range(len(prompts))] for strength in strengths}


def render(scores: list[PersonScore]) -> str:
    """The scorecard as Markdown tables."""

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    names = [f"{strength:g}" for strength in STRENGTHS]
    lines = ["| strength | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    lines.append("| right person among 51 | " + " | ".join(f"{mean([s.retrieval[n] for s in scores]):.0%}" for n in names) + " |")
    overall = {n: mean([mean(list(s.adherence[n].values())) for s in scores]) for n in names}
    lines.append("| caption adherence | " + " | ".join(f"{overall[n]:.0%}" for n in names) + " |")
    for attribute in LABELS:
        lines.append(f"| - {attribute} | " + " | ".join(f"{mean([s.adherence[n][attribute] for s in scores]):.0%}" for n in names) + " |")
    lines += ["", f"{len(scores)} people, {PHOTOS} photos each, {SCENES} new scenes. Adherence at 1.0 is {overall['1'] / overall['0']:.0%} of the base's."]
    lines += [f"Training {mean([s.train_seconds for s in scores]):.0f} s, grid {mean([s.grid_seconds for s in scores]):.0f} s a person, {max(s.memory_gib for s in scores):.1f} GiB at most."]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--work", type=Path, default=Path("data/cache/scorecard"), help="keeps what is finished; delete it to measure anew")
    arguments = parser.parse_args()
    judge = load_judge(Path(POCKET_FLUX) / JUDGE_FILE)
    scores = []
    for person in range(arguments.people):
        scores.append(score_person(person, arguments.work, judge))
        print(f"person {person}: retrieval {scores[-1].retrieval}", flush=True)
    print(render(scores))


if __name__ == "__main__":
    main()
