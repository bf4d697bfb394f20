"""Permanent traits in captions: what belongs to the person and so to the trigger word, not to the sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

HAIR_COLOURS = {
    "blond": "blonde?|blondish|golden|platinum|flaxen", "brown": "brown|chestnut", "black": "black|raven", "red": "red|ginger|auburn|copper",
    "gray": "gr[ae]y|silver|white", "dyed": "pink|blue|green|purple|violet|orange",
}  # fmt: skip
HAIR_WORDS = {"blond": "blonde?", "brown": "brunette", "red": "redhead(?:ed)?", "bald": "bald"}
HAIR_SHAPES = "long|short|curly|wavy|straight|shoulder[- ]length|messy|thick|thin|fine"
EYE_COLOURS = {"blue": "blue", "brown": "brown|hazel|dark", "green": "green", "gray": "gr[ae]y"}
SKINS = {"light": "pale|fair|light|white", "dark": "dark|black|brown", "tanned": "tan|tanned|olive", "freckled": "freckled"}
AGES = {"young": "young|youthful|teen(?:age(?:r|d)?)?|twenty[- ]something", "middle-aged": "middle[- ]aged", "old": "old|older|elderly|senior|aged"}
GENDERS = {"man": "man|male|guy|gentleman|boy", "woman": "woman|female|lady|girl"}
PEOPLE = r"(?:wo)?man|male|female|girl|boy|lady|gentleman|guy|person"
NEGATED = re.compile(r"\b(?:no|not|without)\b\W+(?:\w+\W+){0,2}$")


@dataclass(frozen=True)
class Trait:
    """`kind` such as 'hair colour', `value` such as 'brown', and the words that say so."""

    kind: str
    value: str
    words: str


def traits_in(text: str) -> tuple[Trait, ...]:
    """Traits a caption claims, in their order; 'black hat and brown coat' is not hair, 'without blond hair' claims nothing."""
    found = [(match.start(), Trait(kind, value, match.group())) for kind, value, pattern in _patterns() for match in re.finditer(pattern, text, re.IGNORECASE)]
    return tuple(trait for start, trait in sorted(found, key=lambda item: item[0]) if not NEGATED.search(text[:start].lower()))


def genders_in(text: str) -> set[str]:
    """'man', 'woman', both or none. It is the class word's matter, no trait, but captions must agree on it."""
    return {value for value, words in GENDERS.items() if re.search(rf"\b(?:{words})\b", text, re.IGNORECASE)}


def without_traits(text: str) -> str:
    """The caption without the words of its traits, and without the 'with', 'and' or comma that led to them."""
    for trait in traits_in(text):
        words = rf"\b{re.escape(trait.words)}\b"
        for pattern, rest in (
            (rf"\b(with|has|having)\s+{words}\s+and\s+", r"\1 "),  # with blue eyes and a hat
            (rf"\s*\b(?:with|and|has|having)\s+{words}", ""),  # with blue eyes on a beach
            (rf"\ban?\s+{words}\s+(?=[aeiou])", "an "),  # an old actor
            (rf"\ban?\s+{words}\s+", "a "),  # an old man
            (rf"{words}\s*", ""),
        ):
            text, removed = re.subn(pattern, rest, text, count=1, flags=re.IGNORECASE)
            if removed:
                break
    return re.sub(r"\s*,(?:\s*,)*", ",", re.sub(r"\s+", " ", text)).strip(" ,")


def _patterns() -> Iterator[tuple[str, str, str]]:
    between = rf"(?:[-\s,]+(?:and|dark|light|{HAIR_SHAPES}))*[-\s]+"
    for value, words in HAIR_COLOURS.items():
        yield "hair colour", value, rf"\b(?:(?:{HAIR_SHAPES}|dark|light)[-\s,]+)*(?:{words}){between}hair(?:ed)?\b"
        yield "hair colour", value, rf"\bhair\s+(?:is|was|that is)\s+(?:{words})\b"
    for value, words in HAIR_WORDS.items():
        yield "hair colour", value, rf"\b(?:{words})\b(?![-\s]+(?:\w+[-\s]+){{0,2}}hair)"
    for kind, table, thing in (("eye colour", EYE_COLOURS, "eye[sd]?"), ("skin", SKINS, "skin(?:ned)?")):
        for value, words in table.items():
            yield kind, value, rf"\b(?:{words})[-\s]+{thing}\b"
    yield "skin", "freckled", r"\bfreckle[sd]\b"
    for value, words in AGES.items():
        yield "age", value, rf"(?<![\w-])(?:{words})\b(?=[-\s]+(?:\w+[-\s]+)?(?:{PEOPLE})\b)"
    yield "age", "in years", r"\b\d{1,2}[- ]years?[- ]old\b"
