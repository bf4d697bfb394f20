import re

import pytest

from core.analyzer.report_html import REPORT_CSS
from ui.page_style import PAGE_CSS
from ui.palette import DARK, LIGHT, PLOT, contrast
from ui.texts import training as texts
from ui.theme import CSS, PAINTED, theme

AA_TEXT, AA_SHAPES = 4.5, 3.0


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21) and contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.01)


@pytest.mark.parametrize("mode", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("text", ["text", "muted", "accent", "good", "warn", "bad"])
def test_words_can_be_read_on_every_ground(mode, text):
    grounds = ["page", "surface", "raised", *([f"{text}-soft"] if f"{text}-soft" in mode else [])]
    assert {ground: round(contrast(mode[text], mode[ground]), 2) for ground in grounds if contrast(mode[text], mode[ground]) < AA_TEXT} == {}


@pytest.mark.parametrize("mode", [LIGHT, DARK], ids=["light", "dark"])
def test_buttons_and_the_bounds_of_fields_are_seen(mode):
    assert contrast(mode["on-button"], mode["button"]) >= AA_TEXT
    assert contrast(mode["text"], mode["accent-soft"]) >= AA_TEXT
    assert min(contrast(mode["edge"], mode[ground]) for ground in ("page", "surface")) >= AA_SHAPES


@pytest.mark.parametrize("series", PLOT)
def test_the_lines_of_plots_are_seen_in_both_modes(series):
    assert min(contrast(PLOT[series], mode["surface"]) for mode in (LIGHT, DARK)) >= AA_SHAPES


def test_gradios_own_colours_are_ours_in_both_modes():
    painted = theme()
    assert len(PAINTED) > 30
    for name, colour in PAINTED.items():
        assert (getattr(painted, name), getattr(painted, f"{name}_dark")) == (LIGHT[colour], DARK[colour]), name


def test_every_colour_the_style_names_is_in_the_palette():
    used = set(re.findall(r"var\(--([a-z-]+?)\)", PAGE_CSS))
    ours = {name for name in used if name in {*LIGHT, *DARK} or name.endswith("-soft")}
    assert len(ours) > 12 and ours <= {*LIGHT} and set(LIGHT) == set(DARK)
    assert "http" not in CSS.replace("https://", "")  # nothing is fetched from elsewhere


def test_every_curve_has_a_colour_of_its_own():
    assert set(texts.CURVES.values()) < set(PLOT) and len(set(PLOT.values())) == len(PLOT)


def test_every_size_of_type_is_one_of_the_scale():
    """The report's style is a file's of its own, which must do without the page's variables."""
    style = CSS.removeprefix(REPORT_CSS)
    sizes = re.findall(r"font-size: ([^;}]+?) ?[;}]", style) + [size for size in re.findall(r"font: (?:\d+ )?([^ ;/]+)", style) if size != "inherit"]
    scale = re.findall(r"--(t\d): [\d.]+rem", PAGE_CSS)
    assert len(scale) == 5 and len(sizes) > 40 and {size for size in sizes} <= {f"var(--{step})" for step in scale}


def test_every_distance_is_one_of_five():
    """But for hairlines of one or two pixels, what is measured in the type it stands in, and the sides of the page."""
    style = CSS.removeprefix(REPORT_CSS)
    distances = [part for value in re.findall(r"(?<![\w-])(?:margin|padding|gap)(?:-\w+)?: ([^;}]+?) ?[;}]", style) for part in value.replace("!important", "").split()]
    allowed = re.compile(r"0|auto|inherit|-?[12]px|[\d.]+em|var\(--(?:s[1-5]|side)\)")
    assert len(distances) > 150 and sorted({part for part in distances if not allowed.fullmatch(part)}) == []


def test_signs_reach_the_browser_as_css_writes_them():
    """A backslash that Python takes for itself makes another sign of a tick or an arrow."""
    assert CSS.isascii() and not re.findall(r"[\x00-\x09\x0b-\x1f]", CSS) and len(re.findall(r'content: "\\[0-9]{4}', CSS)) >= 2
