"""Draws the training pictures of the pocket FLUX: many people, each in several scenes, with captions and labels."""

from __future__ import annotations

import json
import random
import string
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from core.durable import read_json
from core.pocket.drawing import draw
from core.pocket.people import ANGLES, FRAMINGS, LIGHTS, PLACES, SHIRTS, Identity, Scene, random_identity, random_scene, scene_caption
from core.pocket.recipe import Recipe

LABELS = {"place": tuple(PLACES), "shirt": tuple(SHIRTS), "angle": tuple(ANGLES), "framing": tuple(FRAMINGS), "light": tuple(LIGHTS), "facing": ("left", "right"), "hat": (False, True)}


@dataclass(frozen=True)
class Drawings:
    """pixels_NHWC uint8; captions of length N; person_N and one index column per entry of LABELS."""

    pixels_NHWC: np.ndarray
    captions: list[str]
    person_N: np.ndarray
    labels_NK: np.ndarray


def make_drawings(folder: Path, recipe: Recipe) -> Drawings:
    """Draw everything on two processes, or load what an earlier call drew."""
    done = folder / "captions.json"
    count = recipe.people * recipe.pictures_each
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        shape = (count, recipe.image_size, recipe.image_size, 3)
        pixels = np.lib.format.open_memmap(folder / "pixels.npy", mode="w+", dtype=np.uint8, shape=shape)
        captions, persons, labels = [], [], []
        with ProcessPoolExecutor(2) as pool:
            for person, pictures in enumerate(pool.map(partial(_draw_person, recipe), range(recipe.people), chunksize=50)):
                for image, caption, label in pictures:
                    pixels[len(captions)] = image
                    captions.append(caption)
                    persons.append(person)
                    labels.append(label)
        pixels.flush()
        np.save(folder / "persons.npy", np.array(persons))
        np.save(folder / "labels.npy", np.array(labels))
        done.write_text(json.dumps(captions), encoding="utf-8")
    return Drawings(np.load(folder / "pixels.npy", mmap_mode="r"), read_json(done), np.load(folder / "persons.npy"), np.load(folder / "labels.npy"))


def labels_of(scene: Scene) -> list[int]:
    """Index of each attribute of the scene within LABELS."""
    return [values.index(getattr(scene, name)) for name, values in LABELS.items()]


def subject_words(identity: Identity, rng: random.Random) -> str:
    """How a caption names the person: mostly the class word, often with a made-up word, so that unknown words do no harm."""
    if rng.random() < 0.6:
        return f"a {identity.gender}"
    word = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 7)))
    return rng.choice((f"{word} {identity.gender}", f"{word}, a {identity.gender}"))


def _draw_person(recipe: Recipe, person: int) -> list[tuple[np.ndarray, str, list[int]]]:
    rng = random.Random(f"{recipe.seed}-{person}")
    identity = random_identity(rng)
    pictures = []
    for _ in range(recipe.pictures_each):
        scene = random_scene(rng)
        image = np.asarray(draw(identity, scene, recipe.image_size))
        pictures.append((image, scene_caption(scene, subject_words(identity, rng), rng), labels_of(scene)))
    return pictures
