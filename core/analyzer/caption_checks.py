"""The checks of captions: there, readable, with the trigger word, short, different, and silent about what never changes."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from core.analyzer.groups import grouped, listed
from core.analyzer.photo import Photo
from core.analyzer.report import Finding
from core.dataset.caption_edits import FAR_TOO_VERBOSE_WORDS, VERBOSE_WORDS
from core.dataset.captions import has_trigger, normalised, similarity, word_count
from core.dataset.traits import genders_in, traits_in

NEAR_IDENTICAL, FEWEST_COMPARED_WORDS = 0.9, 4
# Words captions are full of: as a trigger they would mean everybody.
ORDINARY_WORDS = frozenset(["a", "an", "the", "and", "of", "in", "on", "at", "with", "man", "woman", "person", "boy", "girl", "people", "photo", "picture", "portrait", "face", "head", "hair", "he", "she", "his", "her", "it", "one", "me", "my", "self"])


def check_captions_present(photos: Sequence[Photo], orphans: Sequence[Path]) -> Iterable[Finding]:
    for photo in photos:
        if photo.caption is None:
            yield Finding(check="caption", severity="warning", photos=(photo.name,), what=f"{photo.name} has no caption.", fix=f"Write {photo.name}.txt; without one it is trained as trigger and class word.", remedy="caption again")
        elif not photo.caption.text:
            yield Finding(check="caption", severity="warning", photos=(photo.name,), what=f"The caption of {photo.name} is empty.", fix="Write the trigger word and a short description.", remedy="caption again")
        elif photo.caption.encoding != "utf-8":
            yield Finding(check="encoding", severity="note", photos=(photo.name,), what=f"The caption of {photo.name} is {photo.caption.encoding}, not UTF-8.", fix="Save it once on the page; it is written as UTF-8.")
    for orphan in orphans:
        yield Finding(check="orphan caption", severity="warning", photos=(orphan.name,), what=f"{orphan.name} belongs to no photo.", fix="Give it the name of its photo, or remove it.")


def check_trigger(photos: Sequence[Photo], trigger_word: str) -> Iterable[Finding]:
    for photo in photos:
        if photo.caption and photo.caption.text and not has_trigger(photo.caption.text, trigger_word):
            lacks = "has the trigger word in another case than" if has_trigger(photo.caption.text.lower(), trigger_word.lower()) else "does not contain the trigger word"
            yield Finding(check="trigger", severity="error", photos=(photo.name,), what=f"The caption of {photo.name} {lacks} '{trigger_word}'.", fix=f"Begin it with '{trigger_word}'.", remedy="set trigger")


def check_caption_length(photos: Sequence[Photo]) -> Iterable[Finding]:
    for photo in photos:
        count = word_count(photo.caption.text) if photo.caption else 0
        if count > VERBOSE_WORDS:
            severity = "error" if count > FAR_TOO_VERBOSE_WORDS else "warning"
            yield Finding(check="verbose caption", severity=severity, photos=(photo.name,), what=f"The caption of {photo.name} has {count} words.", fix="Keep clothing, pose, place and light; 8 to 25 words are plenty.", remedy="shorten", value=count, threshold=FAR_TOO_VERBOSE_WORDS if count > FAR_TOO_VERBOSE_WORDS else VERBOSE_WORDS)


def check_caption_variety(photos: Sequence[Photo]) -> Iterable[Finding]:
    with_text = [photo for photo in photos if photo.caption and photo.caption.text]
    groups = defaultdict(list)
    for photo in with_text:
        groups[normalised(photo.caption.text)].append(photo.name)
    for names in groups.values():
        if len(names) > 1:
            yield Finding(check="identical captions", severity="warning", photos=tuple(names), what=f"{len(names)} photos have the same caption.", fix="Say what differs: clothing, place, angle, light.", remedy="caption again", value=len(names), threshold=1)
    alike = []
    for one, other in itertools.combinations(with_text, 2):
        first, second = one.caption.text, other.caption.text
        long_enough = min(word_count(first), word_count(second)) >= FEWEST_COMPARED_WORDS
        if long_enough and normalised(first) != normalised(second) and (share := similarity(first, second)) > NEAR_IDENTICAL:
            alike.append((one.name, other.name, share))
    for names, share in grouped(alike):
        yield Finding(check="similar captions", severity="note", photos=names, what=f"The captions of {listed(names)} are nearly the same.", fix="Say what differs.", remedy="caption again", value=round(share, 2), threshold=NEAR_IDENTICAL)


def check_trigger_word(photos: Sequence[Photo], trigger_word: str, class_word: str) -> Iterable[Finding]:
    """Whether the word can mean this person and nothing else."""
    if trigger_word.lower() in ORDINARY_WORDS | {class_word.lower()}:
        yield Finding(check="ambiguous trigger", severity="error", what=f"The trigger word '{trigger_word}' is an ordinary word of captions.", fix="Choose a made-up word such as 'ohwx', and set it in every caption.", remedy="set trigger")
        return
    inside = tuple(photo.name for photo in photos if photo.caption and _inside_a_word(trigger_word, photo.caption.text))
    if inside:
        yield Finding(check="ambiguous trigger", severity="warning", photos=inside, what=f"'{trigger_word}' also stands inside other words of these captions.", fix="Choose a trigger word that is part of no other word.")
    twice = tuple(photo.name for photo in photos if photo.caption and len(re.findall(rf"(?<!\w){re.escape(trigger_word)}(?!\w)", photo.caption.text)) > 1)
    if twice:
        yield Finding(check="repeated trigger", severity="note", photos=twice, what=f"'{trigger_word}' stands more than once in {len(twice)} captions.", fix="Once, in front, is enough.", remedy="set trigger")


def check_traits(photos: Sequence[Photo], class_word: str) -> Iterable[Finding]:
    """Traits that contradict each other between captions, and traits described at all."""
    claims: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    named = []
    for photo in photos:
        text = photo.caption.text if photo.caption else ""
        traits = traits_in(text)
        named += [photo.name] if traits else []
        for kind, value in {(trait.kind, trait.value) for trait in traits} | {("gender", gender) for gender in genders_in(text) if gender != class_word}:
            claims[kind][value].append(photo.name)
    if class_word in ("man", "woman") and claims["gender"]:
        claims["gender"][class_word] = []
    for kind, values in claims.items():
        if len(values) > 1:
            said = " and ".join(f"'{value}' ({len(names)})" if names else f"'{value}' (the class word)" for value, names in values.items())
            photos_named = tuple(name for names in values.values() for name in names)
            yield Finding(check="contradiction", severity="error", photos=photos_named, what=f"Captions disagree on the {kind}: {said}.", fix="The person has one; remove it from the captions.", remedy="remove traits")
    if named:
        yield Finding(check="permanent traits", severity="warning", photos=tuple(named), what=f"{len(named)} caption{' describes' if len(named) == 1 else 's describe'} what never changes (hair, eyes, skin, age).", fix="Leave it out: the trigger word shall stand for it.", remedy="remove traits", value=len(named), threshold=0)


def _inside_a_word(trigger_word: str, text: str) -> bool:
    return any(trigger_word.lower() in word and word != trigger_word.lower() for word in re.findall(r"\w+", text.lower()))
