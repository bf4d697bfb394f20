"""Which prompts lie inside what the photos show already: they would test memory, not what the LoRA can do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.dataset.captions import class_caption, words_of
from core.evaluation.prompts import KINDS_OF_PERSON, Prompt, fill

# Share of a prompt's own words that one caption has. Heuristic: two captions of a varied set share about half of theirs.
INSIDE = 0.75
FEWEST_WORDS = 3
IDLE_WORDS = frozenset(["a", "an", "the", "of", "in", "on", "at", "with", "and", "or", "to", "is", "are", "his", "her", "their", "its", "by", "from", "into", "photo", "picture", "portrait", "wearing"])


@dataclass(frozen=True)
class Covered:
    """`prompt` is its number. `photo` is the one whose caption, angle and framing say nearly all of it; empty where it is said by several together."""

    prompt: int
    photo: str
    share: float


def covered(prompts: Sequence[Prompt], captions: Mapping[str, str], cells: Mapping[str, int], trigger_word: str, class_word: str) -> list[Covered]:
    """`captions` by photo; `cells` counts photos by measured angle and framing ('front view, portrait'), empty where the analyzer has not looked."""
    said = {name: _own_words(class_caption(text, trigger_word, class_word), class_word) for name, text in captions.items()}
    anywhere = frozenset().union(*said.values(), *(_own_words(cell, class_word) for cell, count in cells.items() if count)) if said else frozenset()
    found = []
    for number, (prompt, text) in enumerate(zip(prompts, fill(prompts, trigger_word, class_word), strict=True)):
        words = _own_words(class_caption(text, trigger_word, class_word), class_word)
        if prompt.kind not in KINDS_OF_PERSON or len(words) < FEWEST_WORDS or not said:
            continue
        photo = max(said, key=lambda name: len(words & said[name]))
        share = len(words & said[photo]) / len(words)
        if share >= INSIDE:
            found.append(Covered(number, photo, share))
        elif words <= anywhere:
            found.append(Covered(number, "", 1.0))
    return found


def covered_words(found: Covered, prompt: Prompt) -> str:
    """One sentence for people."""
    start = f"'{prompt.text[:60]}{'...' if len(prompt.text) > 60 else ''}'"
    if found.photo:
        return f"{start} asks for what {found.photo} shows ({found.share:.0%} of its words): it tests memory. Ask for other clothes, another place or another light."
    return f"{start} asks for nothing that the photos together do not show. Ask for something new."


def _own_words(text: str, class_word: str) -> frozenset[str]:
    return frozenset(words_of(text.lower())) - IDLE_WORDS - {class_word.lower()}
