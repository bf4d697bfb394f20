"""Drawn people in clean sets that cover every angle and framing, and faults of pictures and of whole sets planted in them."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable, Collection
from pathlib import Path

from PIL import ImageEnhance, ImageOps

from core.pocket.demo import write_photos
from core.pocket.drawing import draw
from core.pocket.people import ANGLES, FRAMINGS, Identity, Scene, random_identity, random_scene
from tests.core.planted import CleanSet, Fault, changed, copied

SIZE = 192
SETTINGS = {"resolution": 128, "min_bucket_resolution": 96, "max_bucket_resolution": 192, "bucket_step": 16}


def identity_of(person: int) -> Identity:
    return random_identity(random.Random(f"truth-{person}"))


def scenes_of(person: int) -> list[Scene]:
    """Each angle, side and framing once; the rest by chance."""
    rng = random.Random(f"truth-scenes-{person}")
    covered = itertools.product(ANGLES, ("left", "right"), FRAMINGS)
    return [dataclasses.replace(random_scene(rng), angle=angle, facing=facing, framing=framing) for angle, facing, framing in covered]


def drawn_set(folder: Path, person: int, size: int = SIZE) -> CleanSet:
    """Drawings are square, so that 'all of one shape' is true of every set."""
    folder.mkdir(parents=True)
    identity = identity_of(person)
    write_photos(folder, identity, scenes_of(person), f"ohwx {identity.gender}", size)
    return CleanSet("drawn", folder, SETTINGS | {"class_word": identity.gender}, frozenset({"buckets", "not judged"}))


def drawn_faults(person: int) -> list[Fault]:
    scenes = scenes_of(person)
    return [
        Fault("all of one shape", ("buckets",), lambda _: ()),
        Fault("10 photos", ("count",), _fewer(10)),
        Fault("14 photos", ("count",), _fewer(14)),
        Fault("31 photos", ("count",), lambda folder: _more(folder, person, 31)),
        Fault("front views only", ("angles",), _redrawn(person, angle="front view")),
        Fault("no profile view", ("angles",), _redrawn_where(person, "angle", "profile view", "three-quarter view")),
        Fault("three-quarter views from one side", ("angles",), _redrawn(person, facing="left")),
        Fault("portraits only", ("framing",), _redrawn(person, framing="portrait")),
        Fault("no whole body", ("framing",), _redrawn_where(person, "framing", "full body", "half body")),
        Fault("no portrait", ("framing",), _redrawn_where(person, "framing", "portrait", "half body")),
        Fault("one light", ("light variety",), _redrawn(person, light="soft light")),
        *(Fault("another person", ("different person",), _stranger(person, number, scenes[number - 1])) for number in (2, 9, 11)),
        Fault("the same pixels as WebP", ("duplicate",), copied("photo-03", lambda image: image, ".webp", lossless=True)),
        Fault("a mirrored copy", ("near duplicate",), copied("photo-03", ImageOps.mirror)),
        Fault("a brighter copy", ("near duplicate",), copied("photo-04", lambda image: ImageEnhance.Brightness(image).enhance(1.15))),
        Fault("a black and white copy", ("near duplicate",), copied("photo-05", lambda image: image.convert("L").convert("RGB")), frozenset({"black and white"}), is_hard=True),
        Fault("a smaller copy", ("near duplicate",), copied("photo-07", lambda image: image.resize((144, 144)))),
        Fault("a JPEG copy of quality 20", ("near duplicate",), copied("photo-08", lambda image: image, ".jpg", quality=20)),
        Fault("a copy cropped to 80 %", ("near duplicate", "same shot"), copied("photo-09", lambda image: image.crop((19, 8, 173, 162))), is_hard=True),
        Fault("90 pixels wide", ("resolution",), changed("photo-06", lambda image: image.resize((90, 90)))),
        Fault("110 pixels wide", ("resolution",), changed("photo-06", lambda image: image.resize((110, 110)))),
        Fault("a panorama", ("crop",), changed("photo-06", lambda image: image.resize((SIZE * 4, SIZE))), frozenset({"lonely bucket"})),
        Fault("the only upright one", ("lonely bucket",), changed("photo-06", lambda image: image.crop((24, 0, 168, SIZE)))),
    ]


def _fewer(count: int) -> Callable[[Path], Collection[str]]:
    """Who goes is chance, the same each time."""

    def plant(folder: Path) -> Collection[str]:
        names = random.Random(count).sample(sorted(file.stem for file in folder.glob("*.png")), 18 - count)
        for name in names:
            (folder / f"{name}.png").unlink()
            (folder / f"{name}.txt").unlink()
        return ()

    return plant


def _more(folder: Path, person: int, count: int) -> Collection[str]:
    identity, more = identity_of(person), folder / "more"
    more.mkdir()
    rng = random.Random(f"truth-more-{person}")
    write_photos(more, identity, [random_scene(rng) for _ in range(count - 18)], f"ohwx {identity.gender}", SIZE)
    for file in more.iterdir():
        file.rename(folder / f"more-{file.name}")
    more.rmdir()
    return ()


def _redrawn(person: int, **values: str) -> Callable[[Path], Collection[str]]:
    """The whole set, every scene with these values."""

    def plant(folder: Path) -> Collection[str]:
        for number, scene in enumerate(scenes_of(person), 1):
            draw(identity_of(person), dataclasses.replace(scene, **values), SIZE).save(folder / f"photo-{number:02d}.png")
        return ()

    return plant


def _redrawn_where(person: int, attribute: str, value: str, instead: str) -> Callable[[Path], Collection[str]]:
    def plant(folder: Path) -> Collection[str]:
        for number, scene in enumerate(scenes_of(person), 1):
            if getattr(scene, attribute) == value:
                draw(identity_of(person), dataclasses.replace(scene, **{attribute: instead}), SIZE).save(folder / f"photo-{number:02d}.png")
        return ()

    return plant


def _stranger(person: int, number: int, scene: Scene) -> Callable[[Path], Collection[str]]:
    def plant(folder: Path) -> Collection[str]:
        draw(random_identity(random.Random(f"truth-stranger-{person}-{number}")), scene, SIZE).save(folder / f"photo-{number:02d}.png")
        return {f"photo-{number:02d}"}

    return plant
