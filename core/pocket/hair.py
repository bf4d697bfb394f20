"""Hair and hat at three angles, drawn behind and in front of a head that faces right."""

from __future__ import annotations

from PIL import ImageDraw

from core.pocket.heads import FRONT, PROFILE, TURNED, Head
from core.pocket.paint import Point, blob, darker, lighter
from core.pocket.people import Colour, Identity

HAT, HAT_FOLD, RIBBON = (28, 116, 130), (92, 184, 182), (232, 84, 92)
# Hairlines over the front face from its right to its left temple, in shares of the half sizes.
HIGH = ((0.95, -0.2), (0.66, -0.52), (0, -0.66), (-0.66, -0.52), (-0.95, -0.2))
LOW = ((0.97, -0.08), (0.78, -0.44), (0, -0.4), (-0.78, -0.44), (-0.97, -0.08))
PARTED = ((0.98, 0.1), (0.76, -0.3), (0.3, -0.58), (0, -0.84), (-0.3, -0.58), (-0.76, -0.3), (-0.98, 0.1))
SWEPT = ((0.97, -0.05), (0.8, -0.38), (0.2, -0.42), (-0.42, -0.74), (-0.78, -0.42), (-0.97, -0.05))
HAIRLINES = {"short": HIGH, "long": PARTED, "bun": HIGH, "afro": HIGH, "curly": LOW, "bob": LOW, "ponytail": HIGH, "spiky": HIGH, "braids": PARTED, "side part": SWEPT}
CURLS_FRONT = ((-1.08, 0.05), (-1.04, -0.4), (-0.82, -0.8), (-0.42, -1.02), (0.02, -1.1), (0.44, -1.02), (0.84, -0.8), (1.04, -0.4), (1.08, 0.05))
CURLS_PROFILE = ((-0.6, 0.42), (-1.0, 0.25), (-1.16, -0.2), (-1.04, -0.62), (-0.7, -0.95), (-0.24, -1.08), (0.24, -1.04), (0.62, -0.8))


def draw_back_hair(pen: ImageDraw.ImageDraw, identity: Identity, head: Head, hat: bool) -> None:
    """What hangs behind face and shoulders; under a hat a bun is worn at the nape."""
    colour, shift = darker(identity.hair, 0.8), -0.3 * head.yaw
    right = 1.24 if head.yaw == FRONT else 0.75 if head.yaw == TURNED else 0.1
    match identity.style:
        case "long":
            blob(pen, head.points([(shift, -1.1), (right, -0.5), (right + 0.06, 0.9), (right * 0.8, 1.75), (shift, 1.85), (-1.1 + shift, 1.7), (-1.3 + shift * 0.5, 0.8), (-1.22 + shift * 0.2, -0.5)]), colour)
        case "bob":
            blob(pen, head.points([(shift, -1.1), (right, -0.5), (right + 0.12, 0.5), (right * 0.8, 0.86), (shift, 0.9), (-1.15, 0.88), (-1.4, 0.5), (-1.22, -0.5)]), colour)
        case "afro":
            pen.ellipse(head.box(-0.3 * head.yaw, -0.32, 1.62, 1.2), fill=identity.hair)
        case "bun":
            pen.ellipse(head.box(-(1.15 if hat else 0.9) * head.yaw, 0.4 if hat else 0.3 * head.yaw - 1.24, 0.5, 0.4), fill=colour)
        case "ponytail":
            start = 0.7 if head.yaw == FRONT else -0.7
            side = 1 if head.yaw == FRONT else -1
            blob(pen, head.points([(start, -0.8), (start + side * 0.6, -0.6), (start + side * 0.85, 0.1), (start + side * 0.7, 1.0), (start + side * 0.35, 1.3), (start + side * 0.25, 0.4)]), colour)


def _draw_braids(pen: ImageDraw.ImageDraw, identity: Identity, head: Head) -> None:
    for across in {FRONT: (-1.04, 1.04), TURNED: (-0.98, 0.78), PROFILE: (-0.42,)}[head.yaw]:
        for link in range(4):
            pen.ellipse(head.box(across, 0.4 + 0.34 * link, 0.3, 0.25), fill=darker(identity.hair, 1.0 if link % 2 else 0.8))
        pen.ellipse(head.box(across, 1.66, 0.17, 0.13), fill=RIBBON)


def draw_front_hair(pen: ImageDraw.ImageDraw, identity: Identity, head: Head, hat: bool) -> None:
    """What lies on the skull and the forehead, with one lighter strand; a hat presses down what would stick out of it."""
    style, hair = identity.style, identity.hair
    if style == "mohawk" and not hat:
        _draw_mohawk(pen, head, hair)
    if style == "braids":
        _draw_braids(pen, identity, head)
    if style in HAIRLINES:
        _draw_cap(pen, head, hair, HAIRLINES[style])
    if style == "spiky" and not hat:
        _draw_spikes(pen, head, hair)
    if style == "curly":
        _draw_curls(pen, head, hair)
    if style in ("long", "bob"):
        _draw_side_locks(pen, head, hair, 1.5 if style == "long" else 0.8)
    if style in HAIRLINES and style not in ("curly", "spiky"):
        pen.arc(head.box(-0.08 - 0.12 * head.yaw, -0.2, 0.86, 0.82), 215, 268, fill=lighter(hair, 1.4), width=max(2, round(head.unit * 0.1)))


def _draw_cap(pen: ImageDraw.ImageDraw, head: Head, colour: Colour, hairline: tuple[Point, ...]) -> None:
    """Hair from the crown down to the hairline."""
    if head.yaw < PROFILE:
        crown = [(-1.06, -0.02), (-1.1, -0.5), (-0.72, -1.02), (0, -1.17), (0.72, -1.02), (1.1, -0.5), (1.06, -0.02)]
        if head.yaw == TURNED:
            crown = [(-0.9, 0.02), (-1.12, -0.1), (-1.16, -0.55), (-0.74, -1.04), (0, -1.17), (0.68, -1.0), (0.98, -0.55), (0.96, -0.3)]
        line = [(head.face(across), down) for across, down in hairline if head.yaw == FRONT or across < 0.9]
        blob(pen, head.points(crown + line), colour)
        return
    back = [(0.6, -1.0), (0.1, -1.18), (-0.55, -1.08), (-1.06, -0.66), (-1.18, -0.1), (-1.02, 0.4), (-0.62, 0.52), (-0.38, 0.3), (-0.3, -0.06), (-0.1, -0.12), (-0.02, 0.1), (0.08, -0.1)]
    line = [(head.face(across), down) for across, down in reversed(hairline) if -0.9 < across <= 0]
    blob(pen, head.points([*back, *line]), colour)


def _draw_side_locks(pen: ImageDraw.ImageDraw, head: Head, colour: Colour, bottom: float) -> None:
    """Strands beside the face that cover the ears."""
    for across in {FRONT: (-1.04, 1.04), TURNED: (-0.92,), PROFILE: (-0.3,)}[head.yaw]:
        width = 0.18 if head.yaw == FRONT else 0.24 if head.yaw == TURNED else 0.34
        blob(pen, head.points([(across - width, -0.6), (across + width * 0.8, -0.5), (across + width, 0.2), (across + width * 0.6, bottom), (across - width * 0.6, bottom), (across - width * 1.2, 0.2)]), colour)


def _draw_mohawk(pen: ImageDraw.ImageDraw, head: Head, colour: Colour) -> None:
    if head.yaw == FRONT:
        crest = [(-0.24, -0.6), (-0.3, -1.2), (0, -1.55), (0.3, -1.2), (0.24, -0.6), (0, -0.5)]
    elif head.yaw == TURNED:
        crest = [(0.5, -0.6), (0.62, -1.2), (0.15, -1.55), (-0.5, -1.4), (-0.7, -0.95), (0, -0.9), (0.26, -0.56)]
    else:
        crest = [(0.74, -0.62), (0.86, -1.2), (0.2, -1.55), (-0.6, -1.45), (-1.2, -0.95), (-1.36, -0.2), (-1.04, 0.1), (-0.86, -0.6), (-0.2, -0.92), (0.4, -0.84)]
    blob(pen, head.points(crest), colour)
    middle = head.face(0.0) * 0.3
    blob(pen, head.points([(middle - 0.1, -1.0), (middle - 0.04, -1.38), (middle + 0.08, -1.38), (middle + 0.06, -1.0)]), lighter(colour, 1.4))


def _draw_spikes(pen: ImageDraw.ImageDraw, head: Head, colour: Colour) -> None:
    for number in range(5):
        across = -0.82 + 0.41 * number - 0.12 * head.yaw
        low = -0.7 if number in (0, 4) else -0.95
        pen.polygon(head.points([(across - 0.3, low), (across * 1.2 + 0.06, low - 0.55), (across + 0.3, low)]), fill=colour)
    pen.polygon(head.points([(-0.24, -0.8), (-0.1, -1.2), (0.02, -0.8)]), fill=lighter(colour, 1.4))


def _draw_curls(pen: ImageDraw.ImageDraw, head: Head, colour: Colour) -> None:
    curls = CURLS_PROFILE if head.yaw == PROFILE else CURLS_FRONT
    for number, (across, down) in enumerate(curls):
        if head.yaw == TURNED:
            across = across * 0.95 - 0.06
            if number == len(curls) - 1:
                continue
        pen.ellipse(head.box(across, down, 0.38, 0.31), fill=colour if number % 2 else lighter(colour, 1.18))


def draw_hat(pen: ImageDraw.ImageDraw, head: Head) -> None:
    """A knitted hat with a folded edge that hugs the skull at every angle."""
    back = -0.1 * head.yaw
    pen.ellipse(head.box(back * 1.6, -1.36, 0.3, 0.23), fill=HAT_FOLD)
    blob(pen, head.points([(back - 1.14, -0.42), (back - 1.0, -0.95), (back - 0.5, -1.24), (back, -1.3), (back + 0.5, -1.24), (back + 1.0, -0.95), (back + 1.14, -0.42), (back, -0.4)]), HAT)
    blob(pen, head.points([(back - 0.9, -0.7), (back - 0.72, -1.0), (back - 0.4, -1.16), (back - 0.5, -0.8)]), lighter(HAT, 1.35))
    left, top = head.at(back - 1.2, -0.76)
    right, bottom = head.at(back + 1.2, -0.4)
    pen.rounded_rectangle([left, top, right, bottom], head.unit * 0.15, fill=HAT_FOLD)
    pen.rounded_rectangle([left, top, left + (right - left) * 0.3, bottom], head.unit * 0.15, fill=darker(HAT_FOLD, 0.88))
