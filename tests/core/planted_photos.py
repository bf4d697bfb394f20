"""Public-domain photographs in clean sets, their degradations planted as faults, and edits no check should mind."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from core.dataset.captions import write_caption
from tests.core.planted import CleanSet, Edit, Fault, Picture, changed, copied, opened, picture_of

PHOTOS = Path("tests/photos")
PEOPLE = ("collins", "obama", "ardern", "macron")
NOBODY = ("cat", "coffee")
SCENES = {"collins": "in a space suit beside a flag", "obama": "in a dark suit before a bookcase", "ardern": "in a red jacket indoors", "macron": "outdoors with a microphone on the lapel"}
VIEWS = 8
# Buckets the photos and their crops fill.
SETTINGS = {"resolution": 384, "max_bucket_resolution": 576, "bucket_step": 16}
# What a smaller picture of the same brings with it.
SMALLER = frozenset({"resolution", "small face"})
TURNS = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
HARMLESS: dict[str, Edit] = {
    "as they are": lambda image: image,
    "a tenth darker": lambda image: ImageEnhance.Brightness(image).enhance(0.9),
    "a tenth brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.1),
    "mirrored": ImageOps.mirror,
    "cropped by a tenth": lambda image: middle(image, 0.9),
    "turned by 5 degrees": lambda image: image.rotate(5, Image.Resampling.BICUBIC, fillcolor=(110, 110, 110)),
}


def people_set(folder: Path, edit: Edit = HARMLESS["as they are"], quality: int = 92) -> CleanSet:
    """One photo each of several people: clean for every check of a single photo. Skin differs, so that one is darker than the rest."""
    folder.mkdir(parents=True)
    for name in PEOPLE:
        edit(opened(PHOTOS / f"{name}.jpg")).save(folder / f"{name}.jpg", quality=quality)
        write_caption(folder / f"{name}.txt", f"ohwx, {SCENES[name]}")
    return CleanSet("photos", folder, SETTINGS, frozenset({"count", "different person", "dark", "lonely bucket", "not judged"}))


def views_set(folder: Path, name: str) -> CleanSet:
    """Cuts and developments of one photo: one person beyond doubt, though one shot again and again."""
    folder.mkdir(parents=True)
    rng = random.Random(name)
    for number in range(VIEWS):
        image = middle(opened(PHOTOS / f"{name}.jpg"), rng.uniform(0.82, 1))
        ImageEnhance.Brightness(image).enhance(rng.uniform(0.85, 1.1)).save(folder / f"view-{number}.jpg", quality=rng.randint(75, 95))
    return CleanSet("one person", folder, SETTINGS, frozenset({"count", "caption", "near duplicate", "same shot", "light variety", "lonely bucket", "not judged"}))


def view_faults(name: str) -> list[Fault]:
    """For a set of views of one person. Where the other one's skin is darker, 'dark' says so rightly."""
    return [
        *(Fault("another person", ("different person",), _stranger(other), frozenset({"dark"})) for other in PEOPLE if other != name),
        Fault("two stops too dark", ("dark",), changed("view-3", lambda image: developed(image, -2))),
        Fault("three stops too dark", ("dark",), changed("view-5", lambda image: developed(image, -3))),
    ]


def lit_set(folder: Path, name: str) -> CleanSet:
    """One photo in other lights: brighter and darker, from either side, cold and warm, as a varied set is."""
    folder.mkdir(parents=True)
    rng = random.Random(f"lit-{name}")
    for number in range(VIEWS):
        image = middle(opened(PHOTOS / f"{name}.jpg"), rng.uniform(0.82, 1))
        relit(image, rng.uniform(0.7, 1.15), rng.choice((-1, 1)) * rng.uniform(0.1, 0.35), rng.uniform(-0.1, 0.1)).save(folder / f"light-{number}.jpg", quality=rng.randint(75, 95))
    return CleanSet("one person", folder, SETTINGS, frozenset({"count", "caption", "near duplicate", "same shot", "lonely bucket", "not judged"}))


def lit_faults(name: str) -> list[Fault]:
    """For a set of lights of one person: the whole set again in one light, and so dark that nothing is darker than the rest."""
    return [
        Fault("one light", ("light variety",), _all_lit(name, lambda rng: (1.0, 0.0, 0.0))),
        Fault("nearly one light", ("light variety",), _all_lit(name, lambda rng: (rng.uniform(0.97, 1.03), rng.uniform(-0.02, 0.02), rng.uniform(-0.02, 0.02)))),
        Fault("all three stops too dark", ("dark set",), _all_developed(-3), frozenset({"light variety", "blur", "soft", "no face", "dark", "not judged"})),
    ]


def photo_faults(name: str, other: str) -> list[Fault]:
    """In the photo of this name; the one of the `other` name leaves the set where both must be on one photo."""
    return [
        Fault("blur of 1/200 of the height", ("blur", "soft"), changed(name, lambda image: image.filter(ImageFilter.GaussianBlur(image.height / 200)))),
        Fault("blur of 1/100 of the height", ("blur",), changed(name, lambda image: image.filter(ImageFilter.GaussianBlur(image.height / 100)))),
        Fault("motion over 1/60 of the width", ("blur",), changed(name, lambda image: moved(image, image.width // 60))),
        Fault("a third of the size, enlarged again", ("blur", "soft"), changed(name, lambda image: image.resize((image.width // 3, image.height // 3), Image.Resampling.BOX).resize(image.size, Image.Resampling.BICUBIC)), is_hard=True),
        Fault("a stop too bright", ("overexposed",), changed(name, lambda image: developed(image, 1)), is_hard=True),
        Fault("black and white", ("black and white",), changed(name, lambda image: image.convert("L").convert("RGB"))),
        Fault("two stops too bright", ("overexposed",), changed(name, lambda image: developed(image, 2))),
        *(Fault(words, ("sideways",), changed(name, lambda image, turn=turn: image.transpose(turn))) for turn, words in zip(TURNS, ("a quarter turn left", "a half turn", "a quarter turn right"), strict=True)),
        *(Fault(f"the camera aslant by {degrees} degrees", ("tilted",), changed(name, lambda image, degrees=degrees: aslant(image, degrees)), SMALLER) for degrees in (-35, -28, 28, 35)),
        Fault("two people side by side", ("several people",), _beside(name, other)),
        *(Fault("nobody on it", ("no face",), _nobody(thing)) for thing in NOBODY),
        Fault("a mirrored copy", ("near duplicate",), copied(name, ImageOps.mirror)),
        Fault("a JPEG copy of quality 20", ("near duplicate",), copied(name, lambda image: image, quality=20)),
        Fault("a smaller copy", ("near duplicate",), copied(name, lambda image: image.resize((image.width * 4 // 5, image.height * 4 // 5)))),
        Fault("a copy cropped to 80 %", ("near duplicate", "same shot"), copied(name, lambda image: middle(image, 0.8)), frozenset({"resolution"})),
        Fault("a square of the face", ("near duplicate", "same shot"), copied(name, lambda image: ImageOps.fit(middle(image, 0.75), (512, 512)))),
        Fault("a face of 40 pixels", ("small face",), changed(name, far_away)),
        Fault("300 pixels wide", ("resolution",), changed(name, lambda image: image.resize((300, 300 * image.height // image.width))), frozenset({"small face"})),
        Fault("a strip", ("crop",), changed(name, lambda image: ImageOps.pad(image, (image.height * 5, image.height), color=(110, 120, 130)))),
    ]


def middle(image: Picture, share: float) -> Picture:
    """A cut of this share of width and height, nearer to the top, where faces are."""
    width, height = image.width * share, image.height * share
    left, top = (image.width - width) / 2, (image.height - height) / 4
    return image.crop((int(left), int(top), int(left + width), int(top + height)))


def aslant(image: Picture, degrees: float) -> Picture:
    """As a camera sees it that is turned counterclockwise: what it shows leans clockwise, and the corners are gone."""
    leaning = image.rotate(-degrees, Image.Resampling.BICUBIC)
    return middle(leaning, 0.8)


def far_away(image: Picture) -> Picture:
    """The photo as a small picture on a wall; the face is a third of a photo's height or so."""
    wall = Image.new("RGB", (800, 800), (118, 124, 130))
    wall.paste(image.resize((image.width * 110 // image.height, 110), Image.Resampling.LANCZOS), (350, 330))
    return wall


def moved(image: Picture, pixels: int) -> Picture:
    """The camera moved sideways by so many pixels while the shutter was open."""
    values = np.asarray(image, dtype=np.float32)
    return Image.fromarray(np.mean([np.roll(values, shift, axis=1) for shift in range(pixels)], axis=0).round().astype(np.uint8))


def developed(image: Picture, stops: float) -> Picture:
    """More or less light in linear sRGB (IEC 61966-2-1)."""
    coded = np.arange(256) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4) * 2**stops
    again = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clip(0, 1) ** (1 / 2.4) - 0.055)
    return image.point([round(value * 255) for value in again.clip(0, 1)] * 3)


def relit(image: Picture, brightness: float, side: float, warmth: float) -> Picture:
    """Brightness of the whole; `side` is added on the right and taken on the left, `warmth` added to red and taken from blue, as shares."""
    values = np.asarray(image, dtype=np.float32) * brightness
    across = 1 + side * np.linspace(-1, 1, image.width, dtype=np.float32)[None, :, None]
    colour = np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32)
    return Image.fromarray((values * across * colour).clip(0, 255).round().astype(np.uint8))


def _all_lit(name: str, light_of: Callable[[random.Random], tuple[float, float, float]]) -> Callable[[Path], Collection[str]]:
    def plant(folder: Path) -> Collection[str]:
        rng = random.Random(f"one-light-{name}")
        for number in range(VIEWS):
            relit(middle(opened(PHOTOS / f"{name}.jpg"), rng.uniform(0.82, 1)), *light_of(rng)).save(folder / f"light-{number}.jpg", quality=90)
        return ()

    return plant


def _all_developed(stops: float) -> Callable[[Path], Collection[str]]:
    def plant(folder: Path) -> Collection[str]:
        for number in range(VIEWS):
            changed(f"light-{number}", lambda image: developed(image, stops))(folder)
        return ()

    return plant


def _beside(name: str, other: str) -> Callable[[Path], Collection[str]]:
    def plant(folder: Path) -> Collection[str]:
        guest = opened(picture_of(folder, other))
        picture_of(folder, other).unlink()
        (folder / f"{other}.txt").unlink(missing_ok=True)

        def pair(image: Picture) -> Picture:
            both = Image.new("RGB", (2 * image.width, image.height))
            both.paste(image, (0, 0))
            both.paste(ImageOps.fit(guest, image.size), (image.width, 0))
            return both

        return changed(name, pair)(folder)

    return plant


def _nobody(thing: str) -> Callable[[Path], Collection[str]]:
    def plant(folder: Path) -> Collection[str]:
        ImageOps.fit(opened(PHOTOS / "nobody" / f"{thing}.jpg"), (640, 640)).save(folder / f"{thing}.jpg", quality=92)
        write_caption(folder / f"{thing}.txt", "ohwx, on a wooden table in the morning")
        return {thing}

    return plant


def _stranger(other: str) -> Callable[[Path], Collection[str]]:
    def plant(folder: Path) -> Collection[str]:
        opened(PHOTOS / f"{other}.jpg").save(folder / "other.jpg", quality=92)
        return {"other"}

    return plant
