"""Heads: skull and face at three angles. Everything faces right; the drawing is mirrored for left."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw

from core.pocket.paint import Point, blob, darker, lighter
from core.pocket.people import Colour, Identity

INK = (40, 34, 42)
# Outlines in shares of the half sizes, clockwise from the crown.
SKULL_FRONT = ((0, -1), (0.62, -0.88), (0.97, -0.35), (0.98, 0.12), (0.85, 0.55), (0.48, 0.92), (0, 1.03), (-0.48, 0.92), (-0.85, 0.55), (-0.98, 0.12), (-0.97, -0.35), (-0.62, -0.88))
SKULL_TURNED = ((0, -1), (0.62, -0.86), (0.94, -0.4), (0.9, -0.02), (0.94, 0.26), (0.8, 0.66), (0.48, 0.98), (0.2, 1.02), (-0.3, 0.84), (-0.76, 0.5), (-1, 0), (-1, -0.45), (-0.62, -0.9))
FRONT, TURNED, PROFILE = 0.0, 0.5, 1.0


@dataclass(frozen=True)
class Head:
    """Centre and half sizes in pixels; `unit` is half an average head's height; yaw 0 front, 0.5 three-quarter, 1 profile."""

    x: float
    y: float
    half_width: float
    half_height: float
    unit: float
    yaw: float

    def at(self, across: float, down: float) -> Point:
        """A point in shares of the half sizes from the centre."""
        return self.x + across * self.half_width, self.y + down * self.half_height

    def box(self, across: float, down: float, rx: float, ry: float) -> list[float]:
        """Bounding box of an ellipse at a point, radii in shares of the half sizes."""
        x, y = self.at(across, down)
        return [x - rx * self.half_width, y - ry * self.half_height, x + rx * self.half_width, y + ry * self.half_height]

    def face(self, across: float) -> float:
        """Where a point of the front face lands at this angle; in profile only the near half, `across` up to 0, is seen."""
        if self.yaw == FRONT:
            return across
        if self.yaw == TURNED:
            return 0.3 + 0.82 * across - 0.2 * across * across
        return 0.87 + across

    def points(self, outline: tuple[Point, ...] | list[Point]) -> list[Point]:
        return [self.at(across, down) for across, down in outline]


def draw_head(picture: Image.Image, identity: Identity, head: Head) -> None:
    """Ears, skull with a light and a dark side, and all that is on the face."""
    pen = ImageDraw.Draw(picture)
    if head.yaw < PROFILE:
        _draw_ears(pen, identity, head)
    mask = Image.new("L", picture.size)
    blob(ImageDraw.Draw(mask), head.points(_skull(identity, head)), 255)
    picture.paste(_shaded_skin(identity, head, picture.size), mask=mask)
    _draw_cheeks(pen, identity, head)
    if identity.beard == "full":
        _draw_beard(pen, identity, head)
    _draw_features(pen, identity, head)
    if head.yaw == PROFILE:
        _draw_ears(pen, identity, head)


def _skull(identity: Identity, head: Head) -> tuple[Point, ...]:
    if head.yaw < PROFILE:
        return SKULL_FRONT if head.yaw == FRONT else SKULL_TURNED
    tip = 0.98 + 0.2 * identity.nose_size
    nose = ((0.9, -0.3), (0.86, -0.06), (tip - 0.08, 0.16), (tip, 0.26), (tip - 0.1, 0.34), (0.88, 0.38))
    jaw = ((0.92, 0.5), (0.85, 0.6), (0.88, 0.72), (0.8, 0.92), (0.55, 1.02), (0.1, 0.86), (-0.3, 0.62), (-0.8, 0.42))
    return ((-0.1, -1.02), (0.5, -0.9), (0.84, -0.58), *nose, *jaw, (-1.04, 0), (-1.02, -0.45), (-0.68, -0.86))


def _shaded_skin(identity: Identity, head: Head, size: tuple[int, int]) -> Image.Image:
    """Light from the upper right that fades softly; made small and enlarged, which is cheaper than blurring."""
    small = 24
    light = Image.new("L", (small, small))
    scale = small / size[0]
    ImageDraw.Draw(light).ellipse([value * scale for value in head.box(0.3, -0.1, 0.95, 1.0)], fill=255)
    light = light.resize(size, Image.Resampling.BILINEAR)
    return Image.composite(Image.new("RGB", size, lighter(identity.skin, 1.03)), Image.new("RGB", size, darker(identity.skin, 0.84)), light)


def _draw_ears(pen: ImageDraw.ImageDraw, identity: Identity, head: Head) -> None:
    for across in {FRONT: (-1.0, 1.0), TURNED: (-0.92,), PROFILE: (-0.16,)}[head.yaw]:
        pen.ellipse(head.box(across, 0.1, 0.2, 0.21), fill=darker(identity.skin, 0.86))
        pen.ellipse(head.box(across, 0.11, 0.1, 0.11), fill=darker(identity.skin, 0.74))
        if identity.earrings:
            pen.ellipse(head.box(across, 0.4, 0.13, 0.105), fill=(250, 206, 66))


def _draw_cheeks(pen: ImageDraw.ImageDraw, identity: Identity, head: Head) -> None:
    red, green, blue = identity.skin
    blush: Colour = (min(255, red + 8), round(green * 0.83), round(blue * 0.82))
    for across in (-0.6,) if head.yaw == PROFILE else (-0.6, 0.6):
        x, narrow = head.face(across), 0.65 if head.yaw and across > 0 else 1.0
        pen.ellipse(head.box(x, 0.38, 0.22 * narrow, 0.14), fill=blush)
        if identity.freckles:
            for dx, dy in ((-0.12, 0.0), (0.0, 0.07), (0.12, -0.01)):
                pen.ellipse(head.box(x + dx * narrow, 0.34 + dy, 0.045, 0.034), fill=darker(identity.skin, 0.64))
    if identity.mole:
        across = -abs(identity.mole[0]) if head.yaw == PROFILE else identity.mole[0]
        pen.ellipse(head.box(head.face(across), identity.mole[1] + 0.2, 0.085, 0.065), fill=(70, 38, 30))


def _draw_beard(pen: ImageDraw.ImageDraw, identity: Identity, head: Head) -> None:
    """A full beard from ear to ear that follows the jaw."""
    colour = darker(identity.hair, 0.9)
    if head.yaw == PROFILE:
        blob(pen, head.points([(-0.14, 0.08), (0.08, 0.2), (0.34, 0.44), (0.62, 0.42), (0.9, 0.4), (0.96, 0.6), (0.94, 0.96), (0.64, 1.16), (0.2, 1.02), (-0.16, 0.62)]), colour)
        return
    upper = [(-0.97, 0.02), (-0.8, 0.34), (-0.42, 0.42), (0, 0.36), (0.42, 0.42), (0.8, 0.34), (0.97, 0.02)]
    lower = [(0.93, 0.55), (0.58, 1.0), (0, 1.15), (-0.58, 1.0), (-0.93, 0.55)]
    blob(pen, head.points([(head.face(across) if across > -0.9 or head.yaw == FRONT else -0.88, down) for across, down in upper + lower]), colour)


def _draw_features(pen: ImageDraw.ImageDraw, identity: Identity, head: Head) -> None:
    spread = 0.44 * identity.eye_distance
    eyes = [(head.face(-spread), 1.0), (head.face(spread), 0.76 if head.yaw else 1.0)]
    if head.yaw == PROFILE:
        eyes = [(0.54, 0.68)]
    for across, squeeze in eyes:
        _draw_eye(pen, identity, head, across, squeeze)
    if identity.glasses:
        _draw_glasses(pen, identity, head, eyes)
    if head.yaw < PROFILE:
        x, size = head.face(0.0) + 0.24 * head.yaw, identity.nose_size
        pen.ellipse(head.box(x, 0.26, 0.14 * size, 0.1 * size), fill=darker(identity.skin, 0.76))
        pen.ellipse(head.box(x + 0.03, 0.22, 0.12 * size, 0.09 * size), fill=lighter(identity.skin, 1.2))
    _draw_mouth(pen, identity, head)


def _draw_eye(pen: ImageDraw.ImageDraw, identity: Identity, head: Head, across: float, squeeze: float) -> None:
    size = 0.25 * identity.eye_size
    width, height = size * squeeze, size * 0.82
    if identity.gender == "woman":
        _draw_lashes(pen, head, across, width, height)
    pen.ellipse(head.box(across, -0.03, width * 1.06, height * 1.08), fill=INK)
    pen.ellipse(head.box(across, 0.01, width * 1.06, height), fill=(252, 252, 250))
    glance = across + 0.06 * head.yaw
    pen.ellipse(head.box(glance, 0.01, width * 0.78, height * 0.86), fill=identity.eye)
    pen.ellipse(head.box(glance, 0.01, width * 0.48, height * 0.54), fill=(22, 20, 26))
    pen.ellipse(head.box(glance + width * 0.26, -height * 0.34, width * 0.3, height * 0.28), fill=(255, 255, 255))
    brow = darker(identity.skin, 0.6) if identity.style == "bald" else darker(identity.hair, 0.72)
    thickness, reach, y = 0.05 * identity.brow_weight, 0.29 * squeeze, -0.4
    blob(pen, head.points([(across - reach, y + 0.05), (across, y - thickness - 0.03), (across + reach, y + 0.05), (across, y + thickness)]), brow)


def _draw_lashes(pen: ImageDraw.ImageDraw, head: Head, across: float, width: float, height: float) -> None:
    """A dark flick at the outer corner of the eye."""
    outward = 1 if head.yaw == FRONT and across > 0 else -1
    flick = [(across + outward * width * 0.3, -height - 0.04), (across + outward * width * 1.5, -height - 0.02), (across + outward * width * 1.05, 0)]
    pen.polygon(head.points(flick), fill=INK)


def _draw_glasses(pen: ImageDraw.ImageDraw, identity: Identity, head: Head, eyes: list[tuple[float, float]]) -> None:
    width = max(2, round(head.unit * 0.085))
    for across, squeeze in eyes:
        box = head.box(across, 0, 0.39 * squeeze, 0.31)
        if identity.glasses == "round":
            pen.ellipse(box, outline=INK, width=width)
        else:
            pen.rounded_rectangle(box, head.unit * 0.07, outline=INK, width=width)
    left, squeeze = eyes[0]
    if head.yaw < PROFILE:
        pen.line([head.at(left + 0.36, -0.04), head.at(eyes[1][0] - 0.36 * eyes[1][1], -0.04)], fill=INK, width=width)
    if head.yaw:
        pen.line([head.at(left - 0.36 * squeeze, -0.04), head.at(-0.92 if head.yaw == TURNED else -0.12, -0.02)], fill=INK, width=width)


def _draw_mouth(pen: ImageDraw.ImageDraw, identity: Identity, head: Head) -> None:
    x = {FRONT: 0.0, TURNED: 0.38, PROFILE: 0.7}[head.yaw]
    half = 0.32 * identity.mouth_width * (1 - 0.4 * head.yaw)
    if head.yaw == PROFILE:
        half = 0.12 + 0.06 * identity.mouth_width
    red, green, blue = identity.skin
    pen.chord(head.box(x, 0.59, half, 0.2), 0, 180, fill=(round(red * 0.35 + 92), round(green * 0.2 + 24), round(blue * 0.2 + 34)))
    pen.chord(head.box(x, 0.595, half * 0.76, 0.08), 0, 180, fill=(250, 246, 242))
    if identity.beard:
        reach = half * (0.9 if head.yaw == PROFILE else 1.15) + 0.1
        wings = [(x - reach, 0.54), (x - reach * 0.5, 0.38), (x, 0.42), (x + reach * 0.5, 0.38), (x + reach, 0.54), (x + reach * 0.4, 0.56), (x, 0.52), (x - reach * 0.4, 0.56)]
        blob(pen, head.points(wings), darker(identity.hair, 0.78))
