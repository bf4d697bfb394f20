"""Draws one person in one scene as a flat illustration with soft light; the same identity and scene give the same pixels."""

from __future__ import annotations

from PIL import Image, ImageDraw

from core.pocket.hair import draw_back_hair, draw_front_hair, draw_hat
from core.pocket.heads import PROFILE, Head, draw_head
from core.pocket.paint import Point, blob, darker, lighter
from core.pocket.people import ANGLES, SHIRTS, Colour, Identity, Scene
from core.pocket.places import draw_place

SUPERSAMPLING = 3
TROUSERS, SHOES = (70, 76, 112), (84, 54, 46)
# Half the head's height and the height of its centre, in shares of the picture: heads are large, so that likeness survives 128 px.
HEAD_SIZES = {"portrait": (0.275, 0.47), "half body": (0.195, 0.36), "full body": (0.14, 0.245)}
LIGHT_GAINS = {"soft light": (1.0, 1.0, 1.0), "bright light": (1.13, 1.12, 1.06), "warm light": (1.1, 0.95, 0.72), "dim light": (0.6, 0.62, 0.74)}


def draw(identity: Identity, scene: Scene, size: int = 128) -> Image.Image:
    """An RGB picture of size x size pixels."""
    side = size * SUPERSAMPLING
    picture = Image.new("RGB", (side, side))
    draw_place(picture, scene.place)
    radius, middle = HEAD_SIZES[scene.framing]
    head = Head(
        x=side * (0.5 + scene.shift_x), y=side * (middle + scene.shift_y),
        half_width=side * radius * 0.84 * identity.face_width, half_height=side * radius * identity.face_height, unit=side * radius, yaw=ANGLES[scene.angle],
    )
    pen = ImageDraw.Draw(picture)
    draw_back_hair(pen, identity, head, scene.hat)
    _draw_body(pen, identity, scene, head)
    draw_head(picture, identity, head)
    draw_front_hair(pen, identity, head, scene.hat)
    if scene.hat:
        draw_hat(pen, head)
    if scene.facing == "left" and scene.angle != "front view":
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return _lit(picture.resize((size, size), Image.Resampling.LANCZOS), scene.light)


def _draw_body(pen: ImageDraw.ImageDraw, identity: Identity, scene: Scene, head: Head) -> None:
    """Neck, shirt with a dark side, arms and a collar, and in full body trousers and shoes."""
    shirt, full = SHIRTS[scene.shirt], scene.framing == "full body"
    half = 1.28 - 0.38 * head.yaw
    hip = 2.95 if full else 5.0
    if full:
        _draw_legs(pen, head, half)
    if head.yaw < PROFILE:
        for edge in (-1, 1):
            _draw_arm(pen, identity, head, edge * half, hip, darker(shirt, 0.8))
    torso = [(-0.4, 1.02), (-half * 0.86, 1.22), (-half * 0.99, 1.7), (-half * 0.92, 2.4), (-half * 0.92, hip), (0, hip + 0.1), (half * 0.92, hip), (half * 0.92, 2.4), (half * 0.99, 1.7), (half * 0.86, 1.22), (0.4, 1.02)]
    blob(pen, _body(head, torso), shirt)
    if head.yaw < PROFILE:
        blob(pen, _body(head, [(-0.4, 1.03), (-half * 0.86, 1.22), (-half * 0.99, 1.7), (-half * 0.92, 2.4), (-half * 0.92, hip), (-half * 0.5, hip), (-half * 0.62, 2.2), (-half * 0.5, 1.4)]), darker(shirt, 0.86))
    if head.yaw == PROFILE:
        _draw_arm(pen, identity, head, -0.1, hip, darker(shirt, 0.76))
    back = -0.14 * head.yaw
    blob(pen, _body(head, [(back - 0.5, 1.02), (back, 0.92), (back + 0.5, 1.02), (back + 0.42, 1.28), (back, 1.42), (back - 0.42, 1.28)]), lighter(darker(shirt, 0.74), 1.08))
    blob(pen, _body(head, [(back - 0.32, 0.5), (back + 0.32, 0.5), (back + 0.34, 1.04), (back + 0.2, 1.22), (back, 1.27), (back - 0.2, 1.22), (back - 0.34, 1.04)]), darker(identity.skin, 0.76))


def _draw_arm(pen: ImageDraw.ImageDraw, identity: Identity, head: Head, across: float, hip: float, colour: Colour) -> None:
    end = hip - 0.3
    if hip < 4:
        x, y = _body(head, [(across * 1.06, end + 0.12)])[0]
        hand = head.unit * 0.24
        pen.ellipse([x - hand, y - hand, x + hand, y + hand], fill=darker(identity.skin, 0.92))
    blob(pen, _body(head, [(across * 0.8, 1.22), (across + 0.15, 1.55), (across * 1.06 + 0.25, end - 0.4), (across * 1.06 + 0.2, end), (across * 1.06 - 0.2, end), (across * 1.06 - 0.25, end - 0.4), (across - 0.15, 1.55)]), colour)


def _draw_legs(pen: ImageDraw.ImageDraw, head: Head, half: float) -> None:
    for edge in (-1, 1):
        x, width = edge * half * 0.46, half * 0.42
        left, top = _body(head, [(x - width, 2.7)])[0]
        right, floor = _body(head, [(x + width, 4.75)])[0]
        pen.rectangle([left, top, right, floor], fill=TROUSERS if edge > 0 else darker(TROUSERS, 0.82))
        toe = head.unit * (0.08 + 0.22 * head.yaw)
        pen.rounded_rectangle([left - head.unit * 0.06, floor - head.unit * 0.1, right + toe, floor + head.unit * 0.28], head.unit * 0.16, fill=SHOES if edge > 0 else darker(SHOES, 0.82))


def _body(head: Head, outline: list[Point]) -> list[Point]:
    """Points below the head in its units, so that bodies do not follow the face's proportions."""
    return [(head.x + across * head.unit, head.y + down * head.unit) for across, down in outline]


def _lit(picture: Image.Image, light: str) -> Image.Image:
    bands = [band.point([min(255, round(value * gain)) for value in range(256)]) for band, gain in zip(picture.split(), LIGHT_GAINS[light], strict=True)]
    return Image.merge("RGB", bands)
