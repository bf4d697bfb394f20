"""Backgrounds: one bold, unmistakable picture per place."""

from __future__ import annotations

from PIL import Image, ImageDraw

from core.pocket.paint import blob
from core.pocket.people import Colour


def draw_place(picture: Image.Image, place: str) -> None:
    """Fill the whole picture."""
    pen = ImageDraw.Draw(picture)
    PAINTERS[place](pen, picture.width)


def _bands(pen: ImageDraw.ImageDraw, side: int, *bands: tuple[float, Colour]) -> None:
    """Horizontal bands, each from its start (share of the height) down."""
    for start, colour in bands:
        pen.rectangle([0, side * start, side, side], fill=colour)


def _beach(pen: ImageDraw.ImageDraw, side: int) -> None:
    _bands(pen, side, (0, (150, 210, 244)), (0.22, (176, 222, 248)), (0.5, (62, 150, 206)), (0.56, (84, 170, 220)), (0.68, (240, 216, 160)), (0.86, (230, 202, 142)))
    pen.ellipse([side * 0.8, side * 0.05, side * 0.98, side * 0.23], fill=(255, 238, 150))
    pen.line([(side * 0.07, side * 0.74), (side * 0.1, side * 0.46), (side * 0.15, side * 0.24)], fill=(146, 98, 62), width=side // 22, joint="curve")
    for x, y, sag in ((-0.17, 0.0, 0.1), (-0.13, -0.1, -0.1), (0.14, -0.1, -0.1), (0.2, 0.0, 0.1)):
        blob(pen, [(side * 0.15, side * 0.2), (side * (0.15 + x * 0.6), side * (0.2 + y - 0.04)), (side * (0.15 + x), side * (0.24 + sag)), (side * (0.15 + x * 0.5), side * 0.25)], (60, 148, 92))


def _forest(pen: ImageDraw.ImageDraw, side: int) -> None:
    _bands(pen, side, (0, (150, 192, 140)), (0.72, (84, 122, 62)))
    for x in (0.04, 0.2, 0.76, 0.92):
        pen.rectangle([side * x, side * 0.3, side * (x + 0.07), side * 0.85], fill=(96, 66, 46))
    for x, y, radius in ((0.05, 0.16, 0.2), (0.28, 0.08, 0.17), (0.72, 0.1, 0.18), (0.96, 0.18, 0.2)):
        pen.ellipse([side * (x - radius), side * (y - radius), side * (x + radius), side * (y + radius)], fill=(52, 108, 62))


def _office(pen: ImageDraw.ImageDraw, side: int) -> None:
    _bands(pen, side, (0, (226, 226, 232)), (0.74, (178, 160, 140)))
    pen.rectangle([side * 0.04, side * 0.1, side * 0.34, side * 0.5], fill=(156, 204, 236), outline=(250, 250, 250), width=max(1, side // 40))
    pen.rectangle([side * 0.74, side * 0.44, side, side * 0.74], fill=(120, 124, 138))
    pen.rectangle([side * 0.78, side * 0.24, side * 0.97, side * 0.42], fill=(48, 54, 70))
    pen.rectangle([side * 0.8, side * 0.265, side * 0.95, side * 0.395], fill=(112, 196, 220))
    pen.rectangle([side * 0.7, side * 0.42, side, side * 0.47], fill=(150, 104, 70))
    pen.rectangle([side * 0.06, side * 0.66, side * 0.18, side * 0.8], fill=(206, 112, 72))
    for x, y in ((0.06, 0.58), (0.12, 0.52), (0.18, 0.58)):
        pen.ellipse([side * (x - 0.055), side * (y - 0.1), side * (x + 0.055), side * (y + 0.1)], fill=(72, 150, 96))


def _night_city(pen: ImageDraw.ImageDraw, side: int) -> None:
    _bands(pen, side, (0, (24, 26, 62)), (0.4, (40, 40, 88)), (0.82, (34, 34, 48)))
    for number, (x, top) in enumerate(((0.0, 0.3), (0.18, 0.14), (0.36, 0.36), (0.62, 0.22), (0.82, 0.08))):
        pen.rectangle([side * x, side * top, side * (x + 0.17), side * 0.85], fill=(56, 58, 92) if number % 2 else (48, 48, 80))
        for row in range(5):
            y = top + 0.05 + row * 0.13
            pen.rectangle([side * (x + 0.03), side * y, side * (x + 0.07), side * (y + 0.06)], fill=(255, 214, 110))
            pen.rectangle([side * (x + 0.1), side * (y + 0.02), side * (x + 0.14), side * (y + 0.07)], fill=(238, 186, 90) if row % 2 else (76, 80, 120))


def _park(pen: ImageDraw.ImageDraw, side: int) -> None:
    _bands(pen, side, (0, (176, 222, 250)), (0.6, (122, 192, 96)), (0.84, (104, 172, 82)))
    pen.rectangle([side * 0.1, side * 0.4, side * 0.14, side * 0.64], fill=(112, 78, 54))
    pen.ellipse([side * 0.0, side * 0.18, side * 0.25, side * 0.47], fill=(84, 158, 80))
    pen.ellipse([side * 0.7, side * 0.06, side * 0.9, side * 0.14], fill=(248, 250, 252))
    pen.ellipse([side * 0.8, side * 0.03, side * 0.98, side * 0.13], fill=(248, 250, 252))


def _plain_wall(pen: ImageDraw.ImageDraw, side: int) -> None:
    _bands(pen, side, (0, (216, 207, 198)))
    pen.polygon([(side * 0.45, 0), (side, 0), (side, side), (side * 0.85, side)], fill=(227, 219, 211))


def _library(pen: ImageDraw.ImageDraw, side: int) -> None:
    _bands(pen, side, (0, (112, 74, 50)))
    colours: tuple[Colour, ...] = ((176, 64, 60), (226, 178, 90), (70, 110, 140), (94, 132, 90), (206, 198, 180))
    for shelf in range(4):
        base = 0.24 + shelf * 0.25
        for book in range(11):
            height = 0.13 + 0.04 * ((book * 7 + shelf * 3) % 3) / 2
            pen.rectangle([side * (book * 0.092 + 0.005), side * (base - height), side * (book * 0.092 + 0.08), side * base], fill=colours[(book * 3 + shelf * 2) % 5])
        pen.rectangle([0, side * base, side, side * (base + 0.03)], fill=(146, 100, 66))


def _snow(pen: ImageDraw.ImageDraw, side: int) -> None:
    _bands(pen, side, (0, (196, 210, 228)), (0.62, (246, 249, 253)))
    pen.polygon([(0, side * 0.64), (side * 0.26, side * 0.2), (side * 0.54, side * 0.64)], fill=(150, 168, 196))
    pen.polygon([(side * 0.5, side * 0.64), (side * 0.8, side * 0.12), (side * 1.1, side * 0.64)], fill=(134, 154, 186))
    pen.polygon([(side * 0.7, side * 0.3), (side * 0.8, side * 0.12), (side * 0.9, side * 0.3)], fill=(250, 252, 255))
    pen.polygon([(side * 0.17, side * 0.35), (side * 0.26, side * 0.2), (side * 0.35, side * 0.35)], fill=(250, 252, 255))
    for top, width in ((0.3, 0.1), (0.42, 0.14), (0.55, 0.17)):
        pen.polygon([(side * (0.1 - width), side * (top + 0.2)), (side * 0.1, side * top), (side * (0.1 + width), side * (top + 0.2))], fill=(62, 112, 108))
    for x, y in ((0.06, 0.1), (0.34, 0.06), (0.62, 0.14), (0.93, 0.06), (0.9, 0.5), (0.3, 0.5)):
        pen.ellipse([side * (x - 0.02), side * (y - 0.02), side * (x + 0.02), side * (y + 0.02)], fill=(255, 255, 255))


PAINTERS = {
    "on a beach": _beach, "in a forest": _forest, "in an office": _office, "in a city at night": _night_city,
    "in a park": _park, "in front of a plain wall": _plain_wall, "in a library": _library, "in the snow": _snow,
}
