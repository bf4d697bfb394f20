"""Who is drawn and where: identities, scenes and the captions that tell the scene but never the person."""

from __future__ import annotations

import random
from dataclasses import dataclass

Colour = tuple[int, int, int]

SKINS: tuple[Colour, ...] = ((255, 226, 202), (245, 203, 170), (228, 176, 134), (198, 137, 95), (148, 92, 60), (98, 61, 43))
HAIRS: tuple[Colour, ...] = ((38, 32, 30), (92, 60, 38), (160, 98, 52), (232, 198, 112), (196, 82, 44), (176, 178, 184), (72, 92, 200), (226, 104, 164), (70, 160, 120))
EYES: tuple[Colour, ...] = ((66, 122, 196), (74, 146, 84), (104, 68, 40), (44, 44, 50))
STYLES = ("short", "long", "bald", "bun", "afro", "mohawk", "curly", "bob", "ponytail", "spiky", "braids", "side part")
GLASSES = (None, None, None, "round", "square")
BEARDS = (None, None, None, None, "full", "moustache")
GENDERS = ("man", "woman", "person")

SHIRTS: dict[str, Colour] = {
    "red": (214, 58, 52), "blue": (58, 104, 204), "green": (62, 156, 88), "yellow": (244, 202, 66),
    "white": (244, 244, 242), "black": (48, 48, 56), "purple": (138, 84, 176), "orange": (242, 140, 48),
}
PLACES = ("on a beach", "in a forest", "in an office", "in a city at night", "in a park", "in front of a plain wall", "in a library", "in the snow")
ANGLES: dict[str, float] = {"front view": 0.0, "three-quarter view": 0.5, "profile view": 1.0}
FRAMINGS = ("portrait", "half body", "full body")
LIGHTS = ("soft light", "bright light", "warm light", "dim light")


@dataclass(frozen=True)
class Identity:
    """What stays the same in every picture of a person; sizes are factors around 1."""

    gender: str
    skin: Colour
    hair: Colour
    style: str
    eye: Colour
    face_width: float
    face_height: float
    eye_size: float
    eye_distance: float
    nose_size: float
    mouth_width: float
    brow_weight: float
    glasses: str | None
    beard: str | None
    mole: tuple[float, float] | None
    freckles: bool
    earrings: bool


@dataclass(frozen=True)
class Scene:
    """What changes from picture to picture; shifts are in shares of the picture's width."""

    place: str
    shirt: str
    angle: str
    facing: str
    framing: str
    light: str
    hat: bool
    shift_x: float
    shift_y: float


def random_identity(rng: random.Random) -> Identity:
    gender = rng.choice(GENDERS)
    return Identity(
        gender=gender,
        skin=rng.choice(SKINS),
        hair=rng.choice(HAIRS),
        style=rng.choice(STYLES),
        eye=rng.choice(EYES),
        face_width=rng.uniform(0.86, 1.1),
        face_height=rng.uniform(0.94, 1.1),
        eye_size=rng.uniform(0.82, 1.25),
        eye_distance=rng.uniform(0.88, 1.12),
        nose_size=rng.uniform(0.7, 1.4),
        mouth_width=rng.uniform(0.7, 1.35),
        brow_weight=rng.uniform(0.6, 1.7),
        glasses=rng.choice(GLASSES),
        beard=None if gender == "woman" else rng.choice(BEARDS),
        mole=(rng.choice((-0.5, 0.5)), rng.uniform(0.25, 0.5)) if rng.random() < 0.25 else None,
        freckles=rng.random() < 0.2,
        earrings=rng.random() < 0.2,
    )


def random_scene(rng: random.Random) -> Scene:
    return Scene(
        place=rng.choice(PLACES),
        shirt=rng.choice(tuple(SHIRTS)),
        angle=rng.choice(tuple(ANGLES)),
        facing=rng.choice(("left", "right")),
        framing=rng.choice(FRAMINGS),
        light=rng.choice(LIGHTS),
        hat=rng.random() < 0.15,
        shift_x=rng.uniform(-0.05, 0.05),
        shift_y=rng.uniform(-0.02, 0.02),
    )


def scene_caption(scene: Scene, subject: str, rng: random.Random | None = None) -> str:
    """The full caption; with `rng`, sometimes reordered or with parts left out, as people write them."""
    facing = "" if scene.angle == "front view" else f" facing {scene.facing}"
    first = f"{scene.framing} of {subject}"
    rest = [f"wearing a {scene.shirt} shirt" + (" and a hat" if scene.hat else ""), scene.place, scene.angle + facing, scene.light]
    if rng is not None and rng.random() < 0.3:
        rng.shuffle(rest)
    if rng is not None and rng.random() < 0.3:
        rest = [part for part in rest if rng.random() < 0.8]
    return ", ".join([first, *rest])
