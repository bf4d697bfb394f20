"""Captions: the text beside a photo, read in any usual encoding, written as UTF-8, compared and checked."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from core.durable import write_atomic
from core.errors import UserError

LARGEST_CAPTION = 20_000  # bytes: some 3,000 words, of which the model reads 55
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Caption:
    """`encoding` is what the file was read as; anything but utf-8 is worth a word to the person."""

    text: str
    encoding: str


def read_caption(file: Path) -> Caption:
    """UTF-8 with or without mark, UTF-16 with mark, else Windows-1252. Line breaks become spaces. Raises UserError."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise UserError(f"The caption cannot be read: {error.strerror}.", str(file), "Check the file's permissions.") from None
    if len(raw) > LARGEST_CAPTION:
        raise UserError(f"The caption has {len(raw)} bytes; it is no caption.", str(file), "Keep captions under 75 words.")
    for encoding in _encodings(raw):
        try:
            return Caption(one_line(raw.decode(encoding)), encoding.removesuffix("-sig"))
        except UnicodeDecodeError:
            continue
    raise UserError("The caption is marked as UTF-16, but is damaged.", str(file), "Write it again; it will be saved as UTF-8.")


def write_caption(file: Path, text: str) -> None:
    """Replaces the old file in one move."""
    write_atomic(file, caption_bytes(text))


def caption_bytes(text: str) -> bytes:
    """One line of UTF-8."""
    return (one_line(text) + "\n").encode()


def one_line(text: str) -> str:
    """White space, line breaks included, becomes single spaces."""
    return " ".join(text.replace("\x00", "").split())


def has_trigger(text: str, trigger_word: str) -> bool:
    """Whether the trigger stands in the text as a whole word, in the same case; both ways to write an accent are one."""
    trigger, composed = unicodedata.normalize("NFC", trigger_word), unicodedata.normalize("NFC", text)
    return re.search(rf"(?<!\w){re.escape(trigger)}(?!\w)", composed) is not None


def fill_prompt(prompt: str, trigger_word: str, class_word: str) -> str:
    """{trigger} and {class} are filled in; other braces stay."""
    return prompt.replace("{trigger}", trigger_word).replace("{class}", class_word)


def class_caption(caption: str, trigger_word: str, class_word: str) -> str:
    """The caption of anybody of the class: without the trigger, with the class word once in its place.

    'ohwx man, outdoors' -> 'man, outdoors'; 'ohwx wearing blue' -> 'man wearing blue'; 'ohwx, a man in rain' -> 'a man in rain'.
    """
    trigger, word = rf"(?<!\w){re.escape(trigger_word)}(?!\w)", rf"(?<!\w){re.escape(class_word)}(?!\w)"
    plain = re.sub(rf"{trigger}\s+(?={word})", "", caption)
    if re.search(word, re.sub(trigger, "", plain)):
        plain = re.sub(rf"{trigger}[\s,]*", "", plain)
    return one_line(re.sub(trigger, class_word, plain)).strip(" ,")


def compose(trigger_word: str, class_word: str, phrase: str) -> str:
    """A caption as the guide asks for it: trigger and class word, then what this photo shows."""
    return ", ".join(part for part in (f"{trigger_word} {class_word}".strip(), one_line(phrase).strip(" ,")) if part)


def words_of(text: str) -> list[str]:
    """Words with their inner hyphens and apostrophes; a dash between words is none."""
    return re.findall(r"\w+(?:['’-]\w+)*", text)


def word_count(text: str) -> int:
    return len(words_of(text))


def normalised(text: str) -> str:
    """Lower case, words only: two captions that differ in commas are the same caption."""
    return " ".join(words_of(text.lower()))


def similarity(one: str, other: str) -> float:
    """Share of words two captions have in common (Jaccard), 0 to 1."""
    return overlap(word_set(one), word_set(other))


def word_set(text: str) -> frozenset[str]:
    return frozenset(words_of(text.lower()))


def overlap(first: frozenset[str], second: frozenset[str]) -> float:
    """`similarity` of captions that are compared many times."""
    common = len(first & second)
    everything = len(first) + len(second) - common
    return common / everything if everything else 1.0


def _encodings(raw: bytes) -> list[str]:
    if raw.startswith(UTF16_MARKS):
        return ["utf-16"]
    return ["utf-8-sig" if raw.startswith(b"\xef\xbb\xbf") else "utf-8", "cp1252", "latin-1"]
