"""The colours of the page, light and dark, by what they are for; contrast is computed from here and tested."""

from __future__ import annotations

# page: behind everything; surface: cards and fields; line: decoration; edge: what bounds a field; accent: links and progress;
# button with on_button: the primary action; good, warn, bad: words, on the surface and on their own soft ground.
LIGHT = {
    "page": "#f6f5f1", "surface": "#ffffff", "raised": "#efede7", "line": "#dcd8cf", "edge": "#88827a", "text": "#1d1c19", "muted": "#57534c", "accent": "#256a57", "accent-soft": "#e2eee9", "button": "#256a57", "on-button": "#ffffff",
    "good": "#1f6a4c", "good-soft": "#dff0e7", "warn": "#7a4a05", "warn-soft": "#faecd0", "bad": "#a12a1d", "bad-soft": "#fae2de",
}  # fmt: skip
DARK = {
    "page": "#131412", "surface": "#1d1f1c", "raised": "#282b27", "line": "#383c36", "edge": "#7d8279", "text": "#ecebe6", "muted": "#b3afa6", "accent": "#7fc8af", "accent-soft": "#1f3a31", "button": "#2c7a64", "on-button": "#ffffff",
    "good": "#86d3b0", "good-soft": "#1c3b2e", "warn": "#f0c674", "warn-soft": "#43330f", "bad": "#ff9f93", "bad-soft": "#4a1e19",
}  # fmt: skip
# One set for both grounds: readable as a line (3 to 1) on either surface.
PLOT = {"each step": "#8f928b", "smoothed": "#2b8a70", "fixed noise": "#c8643c", "held out": "#8a6cc4", "likeness": "#a97c12", "learning rate": "#4a82b8"}


def variables(colours: dict[str, str]) -> str:
    """As CSS custom properties."""
    return "".join(f"--{name}:{value};" for name, value in colours.items())


def contrast(one: str, other: str) -> float:
    """Of two colours as #rrggbb, by WCAG 2: 1 for the same, 21 for black on white."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
