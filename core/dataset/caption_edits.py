"""Edits of caption texts, one or many: set the trigger word, put words in front, find and replace, remove traits, shorten; and what is wrong with a caption."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.dataset.captions import has_trigger, one_line, word_count, words_of
from core.dataset.folder import Dataset
from core.dataset.traits import traits_in
from core.errors import Refused

# CLIP reads 77 tokens, about 55 words; the guide asks for concise captions.
VERBOSE_WORDS, FAR_TOO_VERBOSE_WORDS = 40, 75
SHORT_WORDS = 25

TextEdit = Callable[[str], str]


@dataclass(frozen=True)
class CaptionCheck:
    """One thing that is right or wrong with a caption, in words."""

    is_good: bool
    says: str


def checks_of(text: str, trigger_word: str) -> list[CaptionCheck]:
    """What is checked while a caption is being written."""
    count = word_count(text)
    if not count:
        return [CaptionCheck(False, "No caption: it is trained as trigger and class word alone.")]
    return [_trigger_check(text, trigger_word), _length_check(count), _traits_check(text)]


def set_trigger(trigger_word: str, class_word: str) -> TextEdit:
    """The trigger word once, in front, with the class word; a caption that has it once already stays."""
    word, person = rf"(?<!\w){re.escape(trigger_word)}(?!\w)", rf"(?:an?|the)?\s*(?<!\w){re.escape(class_word)}(?!\w)"

    def edit(text: str) -> str:
        if has_trigger(text, trigger_word) and len(re.findall(word, text)) == 1:
            return text
        rest = re.sub(rf"{word}[\s,]*", "", text, flags=re.IGNORECASE)
        named = re.match(person, rest, re.IGNORECASE)
        rest = rest[named.end() :] if named else f", {rest}"
        return one_line(f"{trigger_word} {class_word}{rest}").strip(" ,")

    return edit


def put_in_front(words: str) -> TextEdit:
    if not words.strip():
        raise Refused("There are no words to put in front.", "words", "Type some.")
    return lambda text: one_line(f"{words.strip()} {text}")


def replace(old: str, new: str) -> TextEdit:
    """Exactly as typed, capitals too."""
    if not old:
        raise Refused("There is nothing to look for.", "words to find", "Type what shall be replaced.")
    return lambda text: one_line(text.replace(old, new)).strip(" ,")


def shorten(most_words: int = SHORT_WORDS) -> TextEdit:
    """Whole phrases from the front, as many as fit; a first phrase that is too long is cut at a word."""

    def edit(text: str) -> str:
        if word_count(text) <= most_words:
            return text
        kept = ""
        for phrase in re.split(r"(?<=[,;.])\s+", text):
            longer = f"{kept} {phrase}".strip()
            if word_count(longer) > most_words:
                break
            kept = longer
        if not kept:
            last = list(re.finditer(r"\w+(?:['’-]\w+)*", text))[most_words - 1]
            kept = text[: last.end()]
        return kept.rstrip(" ,;.")

    return edit


def preview(dataset: Dataset, names: list[str], edit: TextEdit) -> dict[str, tuple[str, str]]:
    """Captions before and after, of the photos whose caption would change; a photo without one is left out."""
    texts = {sample.name: sample.caption.text for sample in (*dataset.samples, *dataset.excluded) if sample.name in names and sample.caption and sample.caption.text}
    return {name: (text, edited) for name, text in texts.items() if (edited := edit(text)) != text}


def after(previewed: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    return {name: edited for name, (_, edited) in previewed.items()}


def _trigger_check(text: str, trigger_word: str) -> CaptionCheck:
    if not has_trigger(text, trigger_word):
        other_case = has_trigger(text.lower(), trigger_word.lower())
        return CaptionCheck(False, f"The trigger word is '{trigger_word}', in these very letters." if other_case else f"The trigger word '{trigger_word}' is missing.")
    if words_of(text)[:1] != words_of(trigger_word)[:1]:
        return CaptionCheck(True, f"'{trigger_word}' is there; in front it weighs more.")
    return CaptionCheck(True, f"'{trigger_word}' stands in front.")


def _length_check(count: int) -> CaptionCheck:
    if count > VERBOSE_WORDS:
        return CaptionCheck(False, f"{count} words: the model reads about 55, and {SHORT_WORDS} are plenty.")
    return CaptionCheck(True, f"{count} word{'s' if count > 1 else ''}.")


def _traits_check(text: str) -> CaptionCheck:
    said = list(dict.fromkeys(trait.words for trait in traits_in(text)))
    if said:
        return CaptionCheck(False, f"Leave out what never changes: {', '.join(said)}. The trigger word stands for it.")
    return CaptionCheck(True, "No permanent traits.")
