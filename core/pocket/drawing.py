"""Draws one person in one scene as a flat illustration with soft light; the same identity and scene give the same pixels."""

from __future__ import annotations

from PIL import Image, ImageDraw

from core.pocket.heads import Head, draw_back_hair, draw_front_hair, draw_hat, draw_head
from core.pocket.paint import darker, lighter
from core.pocket.people import ANGLES, SHIRTS, Identity, Scene
from core.pocket.places import draw_place

SUPERSAMPLING = 3
# Half the head's height and the height of its centre, in shares of the picture: heads are large, so that likeness survives 128 px.
HEAD_SIZES = {"portrait": (0.27, 0.43), "half body": (0.19, 0.32), "full body": (0.135, 0.21)}
LIGHT_GAINS = {"soft light": (1.0, 1.0, 1.0), "bright light": (1.16, 1.15, 1.1), "warm light": (1.1, 0.96, 0.74), "dim light": (0.58, 0.6, 0.72)}


def draw(identity: Identity, scene: Scene, size: int = 128) -> Image.Image:
    """An RGB picture of size x size pixels."""
    side = size * SUPERSAMPLING
    picture = Image.new("RGB", (side, side))
    draw_place(picture, scene.place)
    radius, middle = HEAD_SIZES[scene.framing]
    head = Head(
        x=side * (0.5 + scene.shift_x), y=side * (middle + scene.shift_y),
        half_width=side * radius * 0.8 * identity.face_width, half_height=side * radius * identity.face_height, yaw=ANGLES[scene.angle],
    )
    pen = ImageDraw.Draw(picture)
    draw_back_hair(pen, identity, head)
    _draw_body(pen, identity, scene, head, side)
    draw_head(picture, identity, head)
    draw_front_hair(pen, identity, head)
    if scene.hat:
        draw_hat(pen, head)
    if scene.facing == "left" and scene.angle != "front view":
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return _lit(picture.resize((size, size), Image.Resampling.LANCZOS), scene.light)


def _draw_body(pen: ImageDraw.ImageDraw, identity: Identity, scene: Scene, head: Head, side: int) -> None:
    """Neck, shirt with a dark side and a collar, arms, and in full body trousers and shoes."""
    unit = head.unit
    shirt = SHIRTS[scene.shirt]
    half = unit * (1.42 - 0.3 * head.yaw)
    shoulder = head.y + unit * 1.24
    hip = head.y + unit * (3.5 if scene.framing == "full body" else 9)
    if scene.framing == "full body":
        _draw_legs(pen, head, half, hip)
    sleeve = unit * 0.46
    for edge in (-1, 1):
        x = head.x + edge * (half - sleeve * 0.4)
        pen.rounded_rectangle([x - sleeve / 2, shoulder + unit * 0.25, x + sleeve / 2, hip - unit * 0.25], sleeve / 2, fill=darker(shirt, 0.8))
        if scene.framing == "full body":
            pen.ellipse([x - sleeve / 2, hip - unit * 0.5, x + sleeve / 2, hip - unit * 0.05], fill=identity.skin)
    pen.rounded_rectangle([head.x - half, shoulder, head.x + half, hip], unit * 0.55, fill=shirt)
    pen.rounded_rectangle([head.x - half, shoulder, head.x - half * 0.45, hip], unit * 0.4, fill=darker(shirt, 0.88))
    pen.rectangle([head.x - half * 0.62, shoulder + unit * 0.5, head.x - half * 0.4, hip - unit * 0.3], fill=shirt)
    neck = unit * 0.3
    pen.ellipse([head.x - neck * 1.7, shoulder - neck * 0.9, head.x + neck * 1.7, shoulder + neck * 1.1], fill=darker(shirt, 0.72))
    pen.rounded_rectangle([head.x - neck, head.y + unit * 0.6, head.x + neck, shoulder + neck * 0.75], neck * 0.8, fill=darker(identity.skin, 0.8))


def _draw_legs(pen: ImageDraw.ImageDraw, head: Head, half: float, hip: float) -> None:
    unit = head.unit
    floor = hip + unit * 2.0
    for edge in (-1, 1):
        x = head.x + edge * half * 0.45
        pen.rectangle([x - half * 0.38, hip - unit * 0.5, x + half * 0.38, floor], fill=(62, 66, 96) if edge > 0 else (52, 56, 84))
        pen.rounded_rectangle([x - half * 0.42, floor - unit * 0.1, x + half * 0.5, floor + unit * 0.28], unit * 0.14, fill=lighter((70, 46, 40), 1.0))


def _lit(picture: Image.Image, light: str) -> Image.Image:
    bands = [band.point([min(255, round(value * gain)) for value in range(256)]) for band, gain in zip(picture.split(), LIGHT_GAINS[light], strict=True)]
    return Image.merge("RGB", bands)
