"""Permanent traits in captions: what belongs to the person and so to the trigger word, not to the sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

HAIR_COLOURS = {
    "blond": "blonde?|blondish|golden|platinum|flaxen", "brown": "brown|chestnut", "black": "black|raven", "red": "red|ginger|auburn|copper",
    "gray": "gr[ae]y|silver|white|salt[- ]and[- ]pepper", "dyed": "pink|blue|green|purple|violet|orange",
}  # fmt: skip
HAIR_WORDS = {"blond": "blonde?", "brown": "brunette", "red": "redhead(?:ed)?", "bald": "bald"}
HAIR_TONES = {"dark": "dark", "light": "light|fair"}
HAIR_SHAPES = "long|short|curly|wavy|straight|shoulder[- ]length|messy|thick|thin|fine"
EYE_COLOURS = {"blue": "blue", "brown": "brown|hazel|dark", "green": "green", "gray": "gr[ae]y"}
SKINS = {"light": "pale|fair|light|white", "dark": "dark|black|brown", "tanned": "tan|tanned|olive", "freckled": "freckled"}
AGES = {"young": "young|youthful|teen(?:age(?:r|d)?)?|twenty[- ]something", "middle-aged": "middle[- ]aged", "old": "old|older|elderly|senior|aged"}
GENDERS = {"man": "man|male|guy|gentleman|boy", "woman": "woman|female|lady|girl"}
PEOPLE = r"(?:wo)?man|male|female|girl|boy|lady|gentleman|guy|person"
# 'with brown hair tied back' is to become 'with hair tied back': how it is worn changes from day to day.
WORN = r"(?:tied|pulled|pinned|swept|gathered|braided|worn|loose|down|up|in\s+(?:an?\s+)?(?:\w+\s+)?(?:bun|braids?|ponytail|pigtails|curlers|knot))\b"
HAIR_THINGS = "clip|band|tie|pin|bow|brush|dryer|dye|salon|net|ribbon|slide|gel|spray|stylist"
SKIN_WORDS = {"freckled": "freckle[sd]", "wrinkled": r"wrinkles(?!\s+(?:in|of)\b)|wrinkled\s+(?:face|skin|forehead|brow|cheeks)|crow.?s\s+feet", "marked": r"scars?|scarred|birthmarks?|moles?(?=\s+(?:on|above|below|under|near)\b)"}
ON_THE_FACE = r"(?:\s+(?:on|above|below|under|near|across|around)\s+(?:(?:the|his|her|their)\s+)?(?:\w+\s+)?(?:face|forehead|brow|eyebrow|eye|nose|cheek|lip|mouth|chin|neck)s?\b)?"
DECADES = "teens|twenties|thirties|forties|fifties|sixties|seventies|eighties|[2-8]0s"
NEGATED = re.compile(r"\b(?:no|not|without)\b\W+(?:\w+\W+){0,2}$")
BESIDE = re.compile(r"\b(?:with|and|beside|by|near|behind|to|at|from|for|against|between|opposite|like|as)\W+(?:(?:an?|the|his|her|their|another|other|two|three|some|many|several)\W+)?(?:\w+\W+){0,1}$")
DEPICTED = re.compile(r"\b(?:statue|sculpture|bust|figurine|painting|mural|poster)\s+of\W+(?:\w+\W+){0,2}$")


@dataclass(frozen=True)
class Trait:
    """`kind` such as 'hair colour', `value` such as 'brown', and the words that say so."""

    kind: str
    value: str
    words: str


def traits_in(text: str) -> tuple[Trait, ...]:
    """Traits a caption claims, in their order; 'black hat and brown coat' is not hair, 'without blond hair' claims nothing."""
    found = [(match.start(), Trait(kind, value, match.group().strip())) for kind, value, pattern in _patterns() for match in re.finditer(pattern, text, re.IGNORECASE)]
    return tuple(trait for start, trait in sorted(found, key=lambda item: item[0]) if not _is_denied(text[:start].lower()))


def gender_of_person(text: str) -> str:
    """'man', 'woman' or '': the first one named that is not somebody beside the person. It is the class word's matter, no trait, but captions must agree on it."""
    found = sorted((match.start(), value) for value, words in GENDERS.items() for match in re.finditer(rf"\b(?:{words})\b", text, re.IGNORECASE))
    return next((value for start, value in found if not (DEPICTED.search(text[:start].lower()) or BESIDE.search(text[:start].lower()))), "")


def without_traits(text: str) -> str:
    """The caption without the words of its traits, and without the 'with', 'and' or comma that led to them."""
    for trait in traits_in(text):
        words = rf"\b{re.escape(trait.words)}\b"
        for pattern, rest in (
            (rf"\b(with|has|having)\s+(?:an?\s+)?{words}\s+and\s+", r"\1 "),  # with blue eyes and a hat
            (rf"\s*\b(?:with|and|has|having)\s+(?:an?\s+)?{words}(?!\s+hair\b)", ""),  # with blue eyes on a beach
            (rf"\ban?\s+{words}\s+(?=[aeiou])", "an "),  # an old actor
            (rf"\ban?\s+{words}\s+", "a "),  # an old man
            (rf"{words}\s*", ""),
        ):
            text, removed = re.subn(pattern, rest, text, count=1, flags=re.IGNORECASE)
            if removed:
                break
    return re.sub(r"\s*,(?:\s*,)*", ",", re.sub(r"\s+", " ", text)).strip(" ,")


def _is_denied(before: str) -> bool:
    """Whether the words before a trait say that it is absent, or somebody else's."""
    return bool(NEGATED.search(before) or DEPICTED.search(before))


def _patterns() -> Iterator[tuple[str, str, str]]:
    shapes = rf"(?:(?:{HAIR_SHAPES}|dark|light)[-\s,]+)*"
    between = rf"(?:[-\s,]+(?:and|dark|light|{HAIR_SHAPES}))*[-\s]+"
    hair = rf"(?!hair[-\s]*(?:{HAIR_THINGS})s?\b)(?:hair(?:ed)?\b(?!\s+{WORN})|(?=hair\b))"
    whose = r"(?:\b(?:his|her|their|the)\s+)?\b"
    for value, words in HAIR_COLOURS.items():
        yield "hair colour", value, rf"\b{shapes}(?:{words}){between}{hair}"
        yield "hair colour", value, rf"{whose}hair\s+(?:is|was|that is)\s+{shapes}(?:{words})\b"
    colours = "|".join(HAIR_COLOURS.values())
    for value, words in HAIR_TONES.items():
        yield "hair tone", value, rf"\b(?:(?:{HAIR_SHAPES})[-\s,]+)*(?:{words})(?:[-\s,]+(?:{HAIR_SHAPES}))*[-\s]+(?!{colours}){hair}"
    for value, words in HAIR_WORDS.items():
        yield "hair colour", value, rf"\b(?:{words})\b(?![-\s]+(?:(?:\w+[-\s]+){{0,2}}hair|eagle|tyre|tire|spot))"
    for kind, table, thing in (("eye colour", EYE_COLOURS, "eye[sd]?"), ("skin", SKINS, "(?:skin(?:ned)?|complexion)")):
        for value, words in table.items():
            yield kind, value, rf"\b(?:{words})[-\s]+{thing}\b"
            yield kind, value, rf"{whose}{thing}\s+(?:is|are|was|were)\s+(?:{words})\b"
    yield "skin", "tanned", rf"\b(?:{SKINS['tanned']})\s+face\b"
    for value, words in SKIN_WORDS.items():
        yield "skin", value, rf"\b(?:{words})(?!\w){ON_THE_FACE}"
    for value, words in AGES.items():
        yield "age", value, rf"(?<![\w-])(?:{words})\b(?=[-\s]+(?:\w+[-\s]+)?(?:{PEOPLE})\b)"
    yield "age", "in years", r"\b\d{1,2}[- ]years?[- ]old\b"
    yield "age", "in years", rf"\bin\s+(?:his|her|their)\s+(?:(?:early|mid|late)[-\s]+)?(?:{DECADES})\b"
