"""The demo person: drawn photos with captions, made on first start, of somebody the pocket FLUX never saw."""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
from pathlib import Path

from core.dataset.captions import write_caption
from core.pocket.drawing import draw
from core.pocket.people import HAIRS, SKINS, Identity, Scene, random_identity, random_scene, scene_caption

DEMO_FOLDER = Path("data/demo-subject")
DEMO_PHOTOS = 18
DEMO_SIZE = 384
DEMO_SUBJECT = "ohwx woman"
SEED = "demo-subject"


def demo_identity() -> Identity:
    """Somebody one recognises at a glance."""
    plain = random_identity(random.Random(SEED))
    return dataclasses.replace(plain, gender="woman", skin=SKINS[2], hair=HAIRS[7], style="curly", glasses="round", beard=None, freckles=True, mole=None)


def demo_scenes(seed: str, count: int) -> list[Scene]:
    """Scenes in which no attribute is all alike; the same seed gives the same scenes."""
    rng = random.Random(seed)
    return [random_scene(rng) for _ in range(count)]


def make_demo_subject(folder: Path = DEMO_FOLDER) -> None:
    """Draw the person whole or not at all; a folder that is there, edited captions too, stays as it is."""
    if folder.exists():
        return
    hidden = folder.with_name(f".{folder.name}-{os.getpid()}")
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir(parents=True)
    write_photos(hidden, demo_identity(), demo_scenes(SEED, DEMO_PHOTOS), DEMO_SUBJECT, DEMO_SIZE)
    try:
        hidden.rename(folder)
    except OSError:
        shutil.rmtree(hidden)
        if not folder.exists():  # else another process was quicker
            raise


def write_photos(folder: Path, identity: Identity, scenes: list[Scene], subject: str, size: int) -> None:
    """photo-01.png, photo-01.txt and so on."""
    for number, scene in enumerate(scenes, 1):
        file = folder / f"photo-{number:02d}.png"
        draw(identity, scene, size).save(file)
        write_caption(file.with_suffix(".txt"), scene_caption(scene, subject))
