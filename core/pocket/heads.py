"""Heads: skull, face, hair and hat at three angles. Everything faces right; the drawing is mirrored for left."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw

from core.pocket.paint import darker, lighter
from core.pocket.people import Colour, Identity

CAP_STYLES = frozenset({"short", "long", "bun", "bob", "ponytail", "braids"})
HAT = (122, 78, 52)


@dataclass(frozen=True)
class Head:
    """Centre and half sizes in pixels; yaw 0 front, 0.5 three-quarter, 1 profile."""

    x: float
    y: float
    half_width: float
    half_height: float
    yaw: float

    @property
    def unit(self) -> float:
        """Size of the head without the person's own proportions."""
        return (self.half_width / 0.8 + self.half_height) / 2

    def at(self, across: float, down: float) -> tuple[float, float]:
        """A point in shares of the half sizes from the centre."""
        return self.x + across * self.half_width, self.y + down * self.half_height

    def box(self, across: float, down: float, rx: float, ry: float) -> list[float]:
        """Bounding box of an ellipse at a point, radii in shares of the half sizes."""
        x, y = self.at(across, down)
        return [x - rx * self.half_width, y - ry * self.half_height, x + rx * self.half_width, y + ry * self.half_height]


def draw_back_hair(pen: ImageDraw.ImageDraw, identity: Identity, head: Head) -> None:
    """What hangs behind face and shoulders."""
    colour, back = darker(identity.hair, 0.82), -0.32 * head.yaw
    match identity.style:
        case "long":
            pen.rounded_rectangle(_rectangle(head, back - 1.2, -0.7, back + 1.2 - 0.5 * head.yaw, 1.75), head.unit * 0.4, fill=colour)
        case "bob":
            pen.rounded_rectangle(_rectangle(head, back - 1.22, -0.7, back + 1.22 - 0.5 * head.yaw, 0.85), head.unit * 0.35, fill=colour)
        case "afro":
            pen.ellipse(head.box(back * 0.8, -0.3, 1.62, 1.25), fill=identity.hair)
        case "curly":
            for across, down in ((-1.05, 0.3), (-1.15, -0.2), (-0.85, -0.7), (1.05, 0.3), (1.15, -0.2), (0.85, -0.7), (0, -0.95)):
                if head.yaw < 1 or across <= 0:
                    pen.ellipse(head.box(across + back, down, 0.5, 0.42), fill=colour)
        case "bun":
            pen.ellipse(head.box(-0.75 * head.yaw, -1.2 + 0.15 * head.yaw, 0.48, 0.4), fill=colour)
        case "ponytail":
            pen.ellipse(head.box(-1.25 if head.yaw else 0.95, 0.35, 0.42, 0.95), fill=colour)
        case "braids":
            for side in (-1, 1) if head.yaw < 1 else (-0.55,):
                for link in range(4):
                    pen.ellipse(head.box(side * 1.02 + back * 0.5, 0.35 + 0.36 * link, 0.27, 0.25), fill=darker(identity.hair, 0.9 if link % 2 else 0.75))


def draw_head(picture: Image.Image, identity: Identity, head: Head) -> None:
    """Ears, skull with a light and a dark side, and all that is on the face."""
    pen = ImageDraw.Draw(picture)
    _draw_ears(pen, identity, head)
    mask = Image.new("L", picture.size)
    _draw_outline(ImageDraw.Draw(mask), head, identity)
    shaded = Image.new("RGB", picture.size, darker(identity.skin, 0.84))
    ImageDraw.Draw(shaded).ellipse(head.box(0.16 + 0.12 * head.yaw, -0.08, 1.02, 1.06), fill=identity.skin)
    picture.paste(shaded, mask=mask)
    _draw_cheeks(pen, identity, head)
    if identity.beard == "full":
        beard = Image.new("L", picture.size)
        ImageDraw.Draw(beard).ellipse(head.box(0.1 * head.yaw, 0.72, 1.05, 0.62), fill=255)
        beard.paste(0, mask=mask.point([255 - value for value in range(256)]))
        picture.paste(darker(identity.hair, 0.9), mask=beard)
    _draw_features(pen, identity, head)
    if head.yaw == 1:
        _draw_ears(pen, identity, head)


def _draw_outline(pen: ImageDraw.ImageDraw, head: Head, identity: Identity) -> None:
    if head.yaw < 1:
        pen.ellipse(head.box(0, -0.12, 1.0, 0.9), fill=255)
        pen.ellipse(head.box(0.06 * head.yaw, 0.28, 0.86, 0.74), fill=255)
        return
    pen.ellipse(head.box(-0.12, -0.14, 1.04, 0.9), fill=255)
    pen.ellipse(head.box(0.16, 0.42, 0.72, 0.6), fill=255)
    tip = 1.0 + 0.26 * identity.nose_size
    pen.polygon([head.at(0.8, -0.12), head.at(tip, 0.24), head.at(tip - 0.06, 0.33), head.at(0.78, 0.4)], fill=255)
    pen.ellipse(head.box(tip - 0.1, 0.26, 0.12, 0.09), fill=255)


def _draw_ears(pen: ImageDraw.ImageDraw, identity: Identity, head: Head) -> None:
    places = {0.0: (-0.98, 0.98), 0.5: (-0.86,), 1.0: (-0.2,)}[head.yaw]
    for across in places:
        pen.ellipse(head.box(across, 0.1, 0.2, 0.22), fill=darker(identity.skin, 0.88))
        if identity.earrings:
            pen.ellipse(head.box(across, 0.38, 0.12, 0.1), fill=(250, 208, 70))


def _face_x(head: Head, across: float) -> float:
    """Where a point of the front face lands at the head's angle, in shares of the half width."""
    return {0.0: across, 0.5: 0.3 + across * 0.82, 1.0: 0.62 + across * 0.3}[head.yaw]


def _draw_cheeks(pen: ImageDraw.ImageDraw, identity: Identity, head: Head) -> None:
    red, green, blue = identity.skin
    blush: Colour = (min(255, red + 6), round(green * 0.82), round(blue * 0.8))
    for across in (-0.58, 0.58) if head.yaw < 1 else (-0.3,):
        x = _face_x(head, across)
        if x < 0.85:
            pen.ellipse(head.box(x, 0.36, 0.2, 0.13), fill=blush)
            if identity.freckles:
                for dx, dy in ((-0.1, 0.0), (0.02, 0.06), (0.12, -0.02)):
                    pen.ellipse(head.box(x + dx, 0.26 + dy, 0.045, 0.035), fill=darker(identity.skin, 0.62))
    if identity.mole:
        pen.ellipse(head.box(_face_x(head, abs(identity.mole[0]) if head.yaw == 1 else identity.mole[0] * 0.8), identity.mole[1] + 0.1, 0.085, 0.065), fill=(70, 38, 30))


def _draw_features(pen: ImageDraw.ImageDraw, identity: Identity, head: Head) -> None:
    spread = 0.43 * identity.eye_distance
    eyes = [(_face_x(head, across), 0.8 if head.yaw and across > 0 else 1.0) for across in (-spread, spread)]
    if head.yaw == 1:
        eyes = [(0.5, 0.72)]
    for across, squeeze in eyes:
        _draw_eye(pen, identity, head, across, squeeze)
    if identity.glasses:
        _draw_glasses(pen, identity, head, eyes)
    if head.yaw < 1:
        x = _face_x(head, 0.0) + 0.12 * head.yaw
        pen.ellipse(head.box(x, 0.26, 0.13 * identity.nose_size, 0.1 * identity.nose_size), fill=darker(identity.skin, 0.76))
        pen.ellipse(head.box(x + 0.03, 0.22, 0.11 * identity.nose_size, 0.08 * identity.nose_size), fill=lighter(identity.skin, 1.15))
    _draw_mouth(pen, identity, head)


def _draw_eye(pen: ImageDraw.ImageDraw, identity: Identity, head: Head, across: float, squeeze: float) -> None:
    size = 0.21 * identity.eye_size
    pen.ellipse(head.box(across, -0.02, size * 1.12 * squeeze, size * 0.86), fill=(252, 252, 250))
    glance = across + 0.05 * head.yaw
    pen.ellipse(head.box(glance, -0.01, size * 0.74 * squeeze, size * 0.7), fill=identity.eye)
    pen.ellipse(head.box(glance, -0.01, size * 0.42 * squeeze, size * 0.4), fill=(22, 20, 24))
    pen.ellipse(head.box(glance + 0.05, -0.07, size * 0.2, size * 0.17), fill=(255, 255, 255))
    brow = darker(identity.hair, 0.75) if identity.style != "bald" else darker(identity.skin, 0.5)
    thickness = 0.05 * identity.brow_weight
    pen.rounded_rectangle(_rectangle(head, across - size * 1.25 * squeeze, -0.3 - thickness, across + size * 1.25 * squeeze, -0.3 + thickness), head.unit * 0.03, fill=brow)


def _draw_glasses(pen: ImageDraw.ImageDraw, identity: Identity, head: Head, eyes: list[tuple[float, float]]) -> None:
    width = max(2, round(head.unit * 0.07))
    frame = (36, 34, 44)
    for across, squeeze in eyes:
        box = head.box(across, -0.01, 0.36 * squeeze, 0.29)
        if identity.glasses == "round":
            pen.ellipse(box, outline=frame, width=width)
        else:
            pen.rounded_rectangle(box, head.unit * 0.05, outline=frame, width=width)
    y = head.y - 0.05 * head.half_height
    left, right = min(across for across, _ in eyes), max(across for across, _ in eyes)
    if left < right:
        pen.line([head.at(left + 0.34, 0)[0], y, head.at(right - 0.3, 0)[0], y], fill=frame, width=width)
    if head.yaw:
        pen.line([head.at(left - 0.34 * eyes[0][1], 0)[0], y, head.at(left - 0.8, 0)[0], y], fill=frame, width=width)


def _draw_mouth(pen: ImageDraw.ImageDraw, identity: Identity, head: Head) -> None:
    x = _face_x(head, 0.0) + 0.1 * head.yaw * (1 if head.yaw < 1 else 0.4)
    half = 0.3 * identity.mouth_width * (1 - 0.45 * head.yaw)
    if identity.beard == "moustache" or identity.beard == "full":
        pen.rounded_rectangle(_rectangle(head, x - half * 1.25, 0.4, x + half * 1.25, 0.52), head.unit * 0.07, fill=darker(identity.hair, 0.8))
    red, green, blue = identity.skin
    lips = (min(255, round(red * 0.5 + 100)), round(green * 0.35 + 30), round(blue * 0.35 + 36))
    pen.chord(head.box(x, 0.56, half, 0.17), 0, 180, fill=lips)
    pen.chord(head.box(x, 0.565, half * 0.7, 0.06), 0, 180, fill=(250, 246, 242))


def draw_front_hair(pen: ImageDraw.ImageDraw, identity: Identity, head: Head) -> None:
    """What lies on the skull and the forehead, with one lighter strand."""
    hair, style, yaw = identity.hair, identity.style, head.yaw
    back = -0.14 * yaw
    shine = lighter(hair, 1.35)
    if style in CAP_STYLES or style == "side part":
        _draw_cap(pen, head, hair, 0.16 if style == "short" else 0.3)
        pen.arc(head.box(back - 0.1, -0.24, 0.86, 0.72), 205, 262, fill=shine, width=max(2, round(head.unit * 0.09)))
    if style in ("long", "bob") and yaw < 1:
        for side in (-1, 1) if yaw == 0 else (-1,):
            pen.rounded_rectangle(_rectangle(head, side * 1.08 - 0.17, -0.45, side * 1.08 + 0.17, 0.8), head.unit * 0.14, fill=hair)
    if style == "side part":
        pen.polygon([head.at(-0.8, -0.75), head.at(0.75, -0.92), head.at(0.98, -0.3), head.at(0.5, -0.48), head.at(-0.3, -0.5)], fill=hair)
    if style == "mohawk":
        pen.rounded_rectangle(_rectangle(head, -0.26 - 0.62 * yaw, -1.5, 0.26 + 0.3 * yaw, -0.62), head.unit * 0.16, fill=hair)
        pen.rounded_rectangle(_rectangle(head, -0.08 - 0.3 * yaw, -1.4, 0.06 + 0.1 * yaw, -0.8), head.unit * 0.06, fill=shine)
    if style == "spiky":
        _draw_cap(pen, head, hair, 0.3)
        for number in range(5):
            across = -0.86 + 0.43 * number + back
            pen.polygon([head.at(across - 0.26, -0.6), head.at(across + 0.05, -1.42 if number % 2 else -1.28), head.at(across + 0.3, -0.6)], fill=hair)
        pen.polygon([head.at(back - 0.4, -0.7), head.at(back - 0.32, -1.12), head.at(back - 0.18, -0.7)], fill=shine)
    if style == "afro":
        _draw_cap(pen, head, hair, 0.22)
        pen.arc(head.box(back, -0.5, 1.25, 0.85), 200, 260, fill=shine, width=max(2, round(head.unit * 0.1)))
    if style == "curly":
        for number in range(5):
            pen.ellipse(head.box(-0.8 + 0.4 * number + back * 1.6, -0.82 - (0.1 if number in (1, 2, 3) else 0), 0.34, 0.3), fill=hair if number % 2 else lighter(hair, 1.15))
        if yaw == 1:
            for down in (-0.5, 0.0, 0.4):
                pen.ellipse(head.box(-0.92, down, 0.38, 0.34), fill=hair)


def _draw_cap(pen: ImageDraw.ImageDraw, head: Head, colour: Colour, fringe: float) -> None:
    """Hair over the top of the skull; `fringe` is how far it comes down the forehead."""
    if head.yaw < 1:
        shift = -0.12 * head.yaw
        pen.chord(head.box(shift, -0.2 + fringe * 0.2, 1.08, 0.92), 196 - 4 * head.yaw, 344 - 14 * head.yaw, fill=colour)
        return
    pen.ellipse(head.box(-0.5, -0.22, 0.74, 0.86), fill=colour)
    pen.chord(head.box(-0.12, -0.16, 1.1, 0.95), 180, 320, fill=colour)


def draw_hat(pen: ImageDraw.ImageDraw, head: Head) -> None:
    """A brimmed hat that sits on the skull at every angle."""
    back = -0.1 * head.yaw
    pen.rounded_rectangle(_rectangle(head, back - 0.92, -1.5, back + 0.92, -0.6), head.unit * 0.3, fill=HAT)
    pen.rectangle(_rectangle(head, back - 0.92, -0.88, back + 0.92, -0.68), fill=darker(HAT, 0.6))
    pen.rounded_rectangle(_rectangle(head, back - 1.42, -0.72, back + 1.42 + 0.15 * head.yaw, -0.54), head.unit * 0.09, fill=darker(HAT, 0.86))
    pen.rounded_rectangle(_rectangle(head, back - 0.62, -1.38, back - 0.42, -0.94), head.unit * 0.06, fill=lighter(HAT, 1.3))


def _rectangle(head: Head, left: float, top: float, right: float, bottom: float) -> list[float]:
    x0, y0 = head.at(left, top)
    x1, y1 = head.at(right, bottom)
    return [x0, y0, max(x0 + 1, x1), max(y0 + 1, y1)]
