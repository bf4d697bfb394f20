"""Permanent traits in captions: what belongs to the person and so to the trigger word, not to the sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

HAIR_COLOURS = {
    "blond": "blonde?|blondish|golden|platinum|flaxen|sandy|strawberry[- ]blonde?", "brown": "brown|chestnut|mousy|mahogany|chocolate", "black": "black|jet[- ]black|raven", "red": "red|ginger|auburn|copper",
    "gray": "gr[ae]y|silver|white|salt[- ]and[- ]pepper", "dyed": "pink|blue|green|purple|violet|orange",
}  # fmt: skip
HAIR_WORDS = {"blond": "blonde?", "brown": "brunette", "red": "redhead(?:ed)?", "bald": "bald"}
HAIR_TONES = {"dark": "dark", "light": "light|fair"}
HAIR_SHAPES = "long|short|curly|wavy|straight|shoulder[- ]length|messy|thick|thin|fine"
EYE_COLOURS = {"blue": "blue", "brown": "brown|hazel|dark", "green": "green", "gray": "gr[ae]y"}
EYE_SHADES = "deep|dark|light|pale|bright|piercing|vivid|striking|warm|big|large|small"
SKINS = {"light": "pale|fair|light|white|porcelain", "dark": "dark|black|brown|ebony|caramel", "tanned": "tan|tanned|olive|bronzed"}
# What a face is made of, with what is said of it for good; an expression ('wide eyes', 'pursed lips') is none of it.
FEATURES = {
    "eyebrows": "(?:thick|thin|bushy|heavy|arched|dark|light) (?:eye)?brows?", "nose": "(?:long|short|big|large|small|broad|wide|narrow|crooked|straight|pointed|hooked|aquiline|roman|snub|upturned|prominent) nose",
    "lips": "(?:full|thin|plump) lips", "jaw": "(?:square|strong|sharp|wide|narrow|chiselled|chiseled|defined|prominent) jaw(?:line)?", "chin": "(?:cleft|double|pointed|strong|weak|square|dimpled) chin",
    "cheeks": "(?:rosy|ruddy|chubby|hollow|full) cheeks|(?:high|prominent|sharp|strong) cheekbones|dimples", "forehead": "(?:high|low|broad|wide|large|prominent) forehead", "ears": "(?:big|large|small|protruding|pointed) ears",
    "eye shape": "(?:almond.shaped|round|deep.set|wide.set|close.set|hooded) eyes", "face shape": "(?:oval|round|square|heart.shaped|long|narrow|wide|angular|chubby) face", "hairline": "(?:receding|high|low) hairline|thinning hair",
}  # fmt: skip
ORIGINS = {"Asian": "asian|east[- ]asian|south[- ]asian", "white": "white|caucasian|european", "black": "black|african(?:[- ]american)?", "Hispanic": "hispanic|latin[oa]", "Middle Eastern": "middle[- ]eastern|arab"}
AGES = {"young": "young|youthful|teen(?:age(?:r|d)?)?|twenty[- ]something", "middle-aged": "middle[- ]aged", "old": "old|older|elderly|senior|aged"}
GENDERS = {"man": "man|male|guy|gentleman|boy", "woman": "woman|female|lady|girl"}
PEOPLE = r"(?:wo)?man|male|female|girl|boy|lady|gentleman|guy|person|adult|child|kid"
# 'with brown hair tied back' is to become 'with hair tied back': how it is worn changes from day to day.
WORN = r"(?:tied|pulled|pinned|swept|gathered|braided|worn|loose|down|up|in\s+(?:an?\s+)?(?:\w+\s+)?(?:bun|braids?|ponytail|pigtails|curlers|knot))\b"
HAIR_THINGS = "clip|band|tie|pin|bow|brush|dryer|dye|salon|net|ribbon|slide|gel|spray|stylist"
SKIN_WORDS = {"freckles": r"freckled\s+(?:skin|face|complexion)|freckle[sd]", "wrinkles": r"wrinkles(?!\s+(?:in|of)\b)|wrinkled\s+(?:face|skin|forehead|brow|cheeks)|crow.?s\s+feet", "marks": r"scars?|scarred|birthmarks?|moles?(?=\s+(?:on|above|below|under|near)\b)"}
WHITE = r"[-\s]+"
ON_THE_FACE = r"(?:\s+(?:on|above|below|under|near|across|around)\s+(?:(?:the|his|her|their)\s+)?(?:\w+\s+)?(?:face|forehead|brow|eyebrow|eye|nose|cheek|lip|mouth|chin|neck)s?\b)?"
DECADES = "teens|twenties|thirties|forties|fifties|sixties|seventies|eighties|[2-8]0s"
NUMBER = r"(?:[1-9]\d|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty)(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?)"
# Characters before a trait in which the next four patterns look; they span ten words at most.
REACH = 300
NEGATED = re.compile(r"\b(?:no|not|without)\b\W+(?:\w+\W+){0,2}$", re.IGNORECASE)
BESIDE = re.compile(r"\b(?:with|and|beside|by|near|behind|to|at|from|for|against|between|opposite|like|as)\W+(?:(?:an?|the|his|her|their|another|other|two|three|some|many|several)\W+)?(?:\w+\W+){0,1}$", re.IGNORECASE)
# A portrait that somebody stands before shows somebody else; 'a portrait of an old man' is how captions begin.
DEPICTED = re.compile(
    r"\b(?:(?:statue|sculpture|bust|figurine|painting|mural|poster)|(?:before|beside|behind|near|by|under|at|with|holding)\W+(?:an?|the)\W+(?:\w+\W+)?(?:portrait|picture|photo|photograph|drawing))\s+of\W+(?:\w+\W+){0,2}$", re.IGNORECASE
)
ANIMALS = re.compile(r"\b(?:cat|kitten|dog|puppy|horse|pony|owl|parrot|rabbit|doll|puppet|mannequin)s?\W+(?:with|has|having)\W+(?:\w+\W+){0,3}$", re.IGNORECASE)


@dataclass(frozen=True)
class Trait:
    """`kind` such as 'hair colour', `value` such as 'brown', and the words that say so."""

    kind: str
    value: str
    words: str


def traits_in(text: str) -> tuple[Trait, ...]:
    """Traits a caption claims, in their order; 'black hat and brown coat' is not hair, 'without blond hair' claims nothing."""
    found = [(match.start(), Trait(kind, value, match.group().strip())) for kind, value, pattern in _patterns() for match in re.finditer(pattern, text, re.IGNORECASE)]
    return tuple(trait for start, trait in sorted(found, key=lambda item: item[0]) if not _is_denied(trait, text, start))


def gender_of_person(text: str) -> str:
    """'man', 'woman' or '': the first one named that is not somebody beside the person. It is the class word's matter, no trait, but captions must agree on it."""
    found = sorted((match.start(), value) for value, words in GENDERS.items() for match in re.finditer(rf"\b(?:{words})\b", text, re.IGNORECASE))
    return next((value for start, value in found if not (_ends_before(DEPICTED, text, start) or _ends_before(BESIDE, text, start))), "")


def without_traits(text: str) -> str:
    """The caption without the words of its traits, and without the 'with', 'and' or comma that led to them."""
    for trait in traits_in(text):
        words = rf"\b{re.escape(trait.words)}\b"
        for pattern, rest in (
            (rf"\b(with|has|having)\s+(?:an?\s+)?{words}\s+and\s+", r"\1 "),  # with blue eyes and a hat
            (rf"\s*\b(?:with|and|has|having)\s+(?:an?\s+)?{words}(?!\s+hair\b)", ""),  # with blue eyes on a beach
            (rf",?\s*(?:\ban?\s+)?{words}(?=\s*(?:[,.;]|$|(?:in|on|at|by|near|under|with|before|behind|beside)\b))", ""),  # a square jaw
            (rf"\ban?\s+{words}\s+(?=[aeiou])", "an "),  # an old actor
            (rf"\ban?\s+{words}\s+", "a "),  # an old man
            (rf"{words}\s*", ""),
        ):
            text, removed = re.subn(pattern, rest, text, count=1, flags=re.IGNORECASE)
            if removed:
                break
    return re.sub(r"\s*,(?:\s*,)*", ",", re.sub(r"\s+", " ", text)).strip(" ,")


def _is_denied(trait: Trait, text: str, start: int) -> bool:
    """Whether the words before a trait say that it is absent, or somebody else's: a trait before 'man' belongs to whoever that is."""
    patterns = (NEGATED, DEPICTED, ANIMALS, BESIDE) if trait.kind in ("age", "origin") else (NEGATED, DEPICTED, ANIMALS)
    return any(_ends_before(pattern, text, start) for pattern in patterns)


def _ends_before(pattern: re.Pattern[str], text: str, start: int) -> bool:
    """From nearby only: with the whole text in front of each trait, a text full of them takes minutes."""
    return pattern.search(text, max(0, start - REACH), start) is not None


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
    for kind, table, shades, thing in (("eye colour", EYE_COLOURS, EYE_SHADES, "eye[sd]?"), ("skin", SKINS, "very", "(?:skin(?:ned)?|complexion)")):
        for value, words in table.items():
            yield kind, value, rf"\b(?:(?:{shades})[-\s,]+)*(?:{words})(?:[- ]toned)?[-\s]+{thing}\b"
            yield kind, value, rf"{whose}{thing}\s+(?:is|are|was|were)\s+(?:{words})\b"
    yield "skin", "tanned", rf"\b(?:{SKINS['tanned']})\s+face\b"
    yield from _of_face_and_age()


def _of_face_and_age() -> Iterator[tuple[str, str, str]]:
    for kind, words in SKIN_WORDS.items():
        yield kind, "there", rf"\b(?:{words})(?!\w){ON_THE_FACE}"
    for kind, words in FEATURES.items():
        yield kind, "there", rf"\b(?:{words.replace(' ', WHITE)})\b"
    for kind, table in (("age", AGES), ("origin", ORIGINS)):
        for value, words in table.items():
            yield kind, value, rf"(?<![\w-])(?:{words})\b(?=[-\s]+(?:\w+[-\s]+)?(?:{PEOPLE})\b)"
    about = r"(?:about|around|roughly|approximately)\s+"
    yield "age in years", "there", rf"\b(?:{about})?(?:\d{{1,2}}|{NUMBER})[-\s]+years?[-\s]+(?:old|of\s+age)\b"
    yield "age in years", "there", rf"\b(?:at\s+the\s+age\s+of|aged?)\s+(?:{about})?{NUMBER}\b|(?<!crowd )(?<!group )(?<!team )\bof\s+{about}{NUMBER}\b(?!\s+(?!in\b|on\b|at\b|with\b|and\b|by\b|who\b)\w)"
    yield "age in years", "there", rf"\bin\s+(?:his|her|their)\s+(?:(?:early|mid|late)[-\s]+)?(?:{DECADES})\b"
