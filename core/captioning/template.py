"""The template captioner: captions made from what was measured of a photo (framing, angle, side, light), worded differently for each, without a model."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence

from core.dataset.captions import normalised, overlap, word_set
from core.identity.faces import Face

# The analyzer calls captions nearly the same when more than .9 of their words are; these keep well below.
MOST_ALIKE = 0.75
# So many wordings of one photo are compared; they differ enough long before (docs/experiments.md, captions).
MOST_WORDINGS = 240
# Heights of a face's box from its top to the soles of somebody who stands: 7.5 heads (the rule of figure drawing), of which the box covers .78.
WHOLE_BODY_FACES = 9.0

FRAMING_WORDS = {
    "close-up": ("close-up", "close-up shot", "tight framing", "framed closely", "close-up view"),
    "portrait": ("portrait", "portrait shot", "portrait framing", "framed as a portrait", "portrait composition"),
    "half body": ("half-body shot", "medium shot", "half-length framing", "framed from a medium distance", "half-body view"),
    "full body": ("full-body shot", "full-length view", "full-body framing", "framed from head to toe", "full-length shot"),
    "distant": ("wide shot", "seen from a distance", "wide framing", "small in the frame", "wide view"),
}
ANGLE_WORDS = {
    "front view": ("front view", "seen from the front", "head facing forward", "frontal angle", "turned towards the camera"),
    "three-quarter view": ("three-quarter view facing {side}", "head half turned to the {side}", "three-quarter angle, facing {side}", "seen at a three-quarter angle from the front, turned {side}"),
    "profile view": ("profile view facing {side}", "in profile, facing {side}", "side view of the head, turned {side}", "seen from the side, facing {side}"),
}
KIND_WORDS = ("", "photo", "photograph", "picture")
# What a photo without a face may be called: that it is one.
BARE_WORDS = ("photo", "photograph", "picture", "a photo", "a photograph", "a picture", "one photo", "image", "an image", "one picture")


def template_caption(name: str, face: Face | None, begin: str, others: Sequence[str]) -> str:
    """`begin`, then what was measured of this photo, worded unlike the `others`; the same input gives the same caption.

    `light` of the face is the word for it, None where none was measured. A photo without a face is said to be one, and nothing else.
    """
    return _unlike((f"{begin}, {phrase}" for phrase in phrases(name, face)), others)


def is_alike(text: str, others: Sequence[str]) -> bool:
    """Whether it would be hard to tell apart from one of the others."""
    words = word_set(text)
    return any(overlap(words, word_set(other)) > MOST_ALIKE for other in others)


def phrases(name: str, face: Face | None) -> Iterator[str]:
    """All wordings of what was measured, in an order of this photo's own, the first ones most unlike each other."""
    if face is None:
        return _turned(BARE_WORDS, name, "bare")
    framings = _turned(FRAMING_WORDS[framing_in_words(face)], name, "framing")
    angles = _turned([words.format(side=face.facing) for words in ANGLE_WORDS[face.angle]], name, "angle")
    lights = _turned(_light_words(face.light), name, "light")
    kinds = _turned(KIND_WORDS, name, "kind")
    return (", ".join(filter(None, parts)) for parts in _diagonally(list(framings), list(angles), list(lights), list(kinds)))


def framing_in_words(face: Face) -> str:
    """A face that is small is no proof of a whole body: there must be room for one below it. A reader that locates no face was taught to tell."""
    left_top_width_height = face.box
    if face.framing != "full body" or face.landmarks is None:
        return face.framing
    room = (1 - left_top_width_height[1]) / left_top_width_height[3]
    return "full body" if room >= WHOLE_BODY_FACES else "distant"


def _light_words(light: str | None) -> tuple[str, ...]:
    """'soft light' also as 'soft lighting', 'in soft light', 'lit by soft light'."""
    return (light, light.replace("light", "lighting", 1), f"in {light}", f"lit by {light}") if light else ("",)


def _diagonally(*lists: list[str]) -> Iterator[tuple[str, ...]]:
    """Every combination once; neighbours differ in all parts."""
    seen = set()
    longest = max(map(len, lists))
    for shifts in itertools.product(*(range(len(words)) for words in lists[1:])):
        for number in range(longest * len(lists[0])):
            combination = (lists[0][number % len(lists[0])], *(words[(number + shift) % len(words)] for words, shift in zip(lists[1:], shifts, strict=True)))
            if combination not in seen:
                seen.add(combination)
                yield combination


def _turned(words: Sequence[str], name: str, part: str) -> Iterator[str]:
    """From a place in the list that the photo's name decides, round to it again."""
    begin = hashlib.sha256(f"{part} {name}".encode()).digest()[0] % len(words)
    return iter([*words[begin:], *words[:begin]])


def _unlike(wordings: Iterator[str], others: Sequence[str]) -> str:
    """The first wording unlike all others, else the least alike one that is not the same as another."""
    taken, told = set(map(normalised, others)), list(map(word_set, others))
    best, least = "", 2.5
    for wording in itertools.islice(wordings, MOST_WORDINGS):
        alike = _most_alike(word_set(wording), told, float(normalised(wording) in taken), least)
        if alike < least:
            best, least = wording, alike
        if least <= MOST_ALIKE:
            break
    return best


def _most_alike(words: frozenset[str], told: Sequence[frozenset[str]], malus: float, enough: float) -> float:
    """The largest share of words in common, plus the malus; not looked for any further once it is `enough`."""
    most = malus
    for other in told:
        most = max(most, malus + overlap(words, other))
        if most >= enough:
            break
    return most
