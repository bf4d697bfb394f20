"""The checks of captions: there, readable, with the trigger word, short, different, and silent about what never changes."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from core.analyzer.groups import grouped, listed
from core.analyzer.photo import Photo
from core.analyzer.report import Finding
from core.dataset.caption_edits import FAR_TOO_VERBOSE_WORDS, VERBOSE_WORDS
from core.dataset.captions import Caption, has_trigger, normalised, similarity, word_count
from core.dataset.english import is_english
from core.dataset.traits import gender_of_person, traits_in
from core.errors import UserError

NEAR_IDENTICAL, FEWEST_COMPARED_WORDS = 0.9, 4
# As a trigger they would mean every person in every caption.
CLASS_WORDS = frozenset(["man", "woman", "person", "boy", "girl", "people", "human", "male", "female", "he", "she", "face"])
MADE_UP = "Choose a made-up word such as 'ohwx' in the Dataset tab, then set it in every caption there (Edit many captions at once)."


def check_captions_present(photos: Sequence[Photo], orphans: Sequence[Path]) -> Iterable[Finding]:
    without = _names(photos, lambda caption: caption is None)
    if without:
        yield Finding(check="caption", severity="warning", photos=without, what=f"Without a caption: {listed(without)}.", fix="Write a short one; without it a photo is trained as trigger and class word.", remedy="caption again")
    empty = _names(photos, lambda caption: caption is not None and not caption.text)
    if empty:
        yield Finding(check="caption", severity="warning", photos=empty, what=f"An empty caption: {listed(empty)}.", fix="Write the trigger word and a short description.", remedy="caption again")
    foreign = _names(photos, lambda caption: caption is not None and bool(caption.text) and caption.encoding != "utf-8")
    if foreign:
        spelled = sorted({photo.caption.encoding for photo in photos if photo.name in foreign})
        yield Finding(check="encoding", severity="note", photos=foreign, what=f"Captions in {' and '.join(spelled)}, not UTF-8: {listed(foreign)}.", fix="Look whether every letter is right, then save them on the page; they are written as UTF-8.")
    for orphan in orphans:
        yield Finding(check="orphan caption", severity="warning", photos=(orphan.name,), what=f"{orphan.name} belongs to no photo.", fix="Give it the name of its photo, or remove it.")


def check_trigger(photos: Sequence[Photo], trigger_word: str) -> Iterable[Finding]:
    lacking = [photo for photo in photos if photo.caption and photo.caption.text and not has_trigger(photo.caption.text, trigger_word)]
    other_case = tuple(photo.name for photo in lacking if has_trigger(photo.caption.text.lower(), trigger_word.lower()))
    absent = tuple(photo.name for photo in lacking if photo.name not in other_case)
    for names, words in ((absent, f"Captions without the trigger word '{trigger_word}'"), (other_case, f"Captions with the trigger word in another case than '{trigger_word}'")):
        if names:
            yield Finding(check="trigger", severity="error", photos=names, what=f"{words}: {listed(names)}.", fix=f"Begin each with '{trigger_word}'.", remedy="set trigger", value=len(names), threshold=0)


def check_caption_length(photos: Sequence[Photo]) -> Iterable[Finding]:
    counts = {photo.name: word_count(photo.caption.text) for photo in photos if photo.caption}
    far_too_long = tuple(name for name, count in counts.items() if count > FAR_TOO_VERBOSE_WORDS)
    long = tuple(name for name, count in counts.items() if VERBOSE_WORDS < count <= FAR_TOO_VERBOSE_WORDS)
    for names, severity, most in ((far_too_long, "error", FAR_TOO_VERBOSE_WORDS), (long, "warning", VERBOSE_WORDS)):
        if names:
            yield Finding(
                check="verbose caption", severity=severity, photos=names, what=f"Captions with more than {most} words: {listed(names)}.", fix="Keep clothing, pose, place and light; 8 to 25 words are plenty.",
                remedy="shorten", value=max(counts[name] for name in names), threshold=most,
            )  # fmt: skip


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
    yield from _known_word(trigger_word, class_word)
    inside = _names(photos, lambda caption: caption is not None and _inside_a_word(trigger_word, caption.text))
    if inside:
        yield Finding(check="ambiguous trigger", severity="warning", photos=inside, what=f"'{trigger_word}' also stands inside other words of captions: {listed(inside)}.", fix="Choose a trigger word that is part of no other word.")
    twice = _names(photos, lambda caption: caption is not None and len(re.findall(rf"(?<!\w){re.escape(trigger_word)}(?!\w)", caption.text)) > 1)
    if twice:
        yield Finding(check="repeated trigger", severity="note", photos=twice, what=f"'{trigger_word}' more than once in a caption: {listed(twice)}.", fix="Once, in front, is enough.", remedy="set trigger")


def _known_word(trigger_word: str, class_word: str) -> Iterable[Finding]:
    if trigger_word.lower() in CLASS_WORDS | {class_word.lower()}:
        yield Finding(check="ambiguous trigger", severity="error", what=f"The trigger word '{trigger_word}' means everybody.", fix=MADE_UP)
        return
    try:
        known = is_english(trigger_word)
    except UserError as error:
        yield Finding(check="ambiguous trigger", severity="note", what=f"Whether the trigger word is an ordinary word was not checked. {error.what}", fix=error.fix)
        return
    if known:
        yield Finding(check="ambiguous trigger", severity="warning", what=f"The trigger word '{trigger_word}' is an English word or name, so that the model has a picture of it already.", fix=MADE_UP)


def check_traits(photos: Sequence[Photo], class_word: str) -> Iterable[Finding]:
    """Traits that contradict each other between captions, and traits described at all."""
    claims: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    named = []
    for photo in photos:
        text = photo.caption.text if photo.caption else ""
        traits = traits_in(text)
        named += [photo.name] if traits else []
        gender = gender_of_person(text)
        for kind, value in {(trait.kind, trait.value) for trait in traits} | ({("gender", gender)} if gender and gender != class_word else set()):
            claims[kind][value].append(photo.name)
    if class_word in ("man", "woman") and claims["gender"]:
        claims["gender"][class_word] = []
    for kind, values in claims.items():
        if len(values) > 1:
            said = " and ".join(f"'{value}' ({len(names)})" if names else f"'{value}' (the class word)" for value, names in values.items())
            photos_named = tuple(name for names in values.values() for name in names)
            fix, remedy = ("The person has one: choose the class word that is right in the Dataset tab, and edit the captions.", None) if kind == "gender" else ("The person has one; remove it from the captions.", "remove traits")
            yield Finding(check="contradiction", severity="error", photos=photos_named, what=f"Captions disagree on the {kind}: {said}.", fix=fix, remedy=remedy)
    if named:
        yield Finding(check="permanent traits", severity="warning", photos=tuple(named), what=f"{len(named)} caption{' describes' if len(named) == 1 else 's describe'} what never changes (hair, eyes, skin, age).", fix="Leave it out: the trigger word shall stand for it.", remedy="remove traits", value=len(named), threshold=0)


def _names(photos: Sequence[Photo], is_meant: Callable[[Caption | None], bool]) -> tuple[str, ...]:
    return tuple(photo.name for photo in photos if is_meant(photo.caption))


def _inside_a_word(trigger_word: str, text: str) -> bool:
    return any(trigger_word.lower() in word and word != trigger_word.lower() for word in re.findall(r"\w+", text.lower()))
