"""What a caption model is told, and what is kept of its answer: one phrase about what changes from photo to photo, nothing about what stays."""

from __future__ import annotations

import html
import re

from core.dataset.caption_edits import shorten
from core.dataset.captions import compose, one_line, word_count
from core.dataset.traits import traits_in, without_traits

FEWEST_WORDS, MOST_WORDS = 3, 22
# Tokens: 22 words are about 35; what comes after that would be cut off anyway.
MOST_NEW_TOKENS = 64
# Of an answer; more comes only from a model that is stuck.
MOST_LETTERS = 2000
FLORENCE_TASK = "<CAPTION>"

PERSON = r"(?:(?:wo)?man|(?:wo)?men|male|female|guy|gentleman|lady|boy|girl|child|person|individual|figure|subject|model|people)"
ARTICLE = r"(?:an?|the|this|that|one)"
# A word between article and noun: 'tall', 'middle-aged', never the beginning of something else ('a suit next to a man').
BETWEEN = r"(?!(?:an?|the|of|in|on|at|to|by|with|and|is|are|who|wearing|near|behind|beside|front|while|as|two|three|several|other|that|which)\b)[\w'’-]+,?"
PERSON_WORDS = rf"\b{ARTICLE}\s+(?:{BETWEEN}\s+){{0,5}}?{PERSON}\b"
REPEATED = re.compile(r"\b(\w[^.;]{2,80}?)(?:[\s,]+\1\b)+", re.IGNORECASE)
# What is left of a clause when the person was taken out of it.
EMPTY = frozenset({"", "his", "her", "their", "the", "a", "an", "and", "with", "overall", "who", "somebody", "he", "she", "they", "that"})
# Words in front of 'man' that tell the scene, not the person.
DOING = re.compile(r"\b(?:smiling|laughing|standing|sitting|seated|walking|running|posing|leaning|kneeling|lying|dancing|shirtless)\b", re.IGNORECASE)
REFUSALS = re.compile(r"\b(?:I['’]?m (?:sorry|unable)|I am (?:sorry|unable|not able)|I (?:can['’]?t|cannot|can not|won['’]?t|apologi[sz]e)|as an AI|unable to (?:assist|help|describe|identify|see|view|process)|no image (?:was|is|has)|(?:don['’]t|do not) see (?:an|any) image)\b", re.IGNORECASE)
CHATTER = re.compile(r"^(?:sure|certainly|of course|okay|ok|yes|here(?:['’]s| is| are| you go)|let me know|i hope|note|please|thank)\b.*", re.IGNORECASE)
LABEL = re.compile(r"^(?:caption|description|answer|phrase|output|response|assistant|photo|image)\s*\d*\s*[\"'”]?\s*:\s*[\"'“]?", re.IGNORECASE)
PICTURE = r"(?:image|photo|photograph|picture|portrait|shot|scene|close-up|close up|headshot|selfie)"
LEAD_IN = re.compile(
    rf"^(?:in (?:this|the) {PICTURE},?\s*)?(?:(?:(?:this|the|an?) )?(?:\w+[- ])?{PICTURE} (?:shows?|depicts?|features?|captures?|portrays?|presents?|displays?|is of|contains?|showing|depicting|featuring)\s+|we (?:can )?see\s+|there (?:is|are)\s+|it (?:shows|depicts|features)\s+)?",
    re.IGNORECASE,
)
OPINION = re.compile(r"[,;]?\s*\b(?:suggest(?:s|ing)|convey(?:s|ing)|evok(?:es|ing)|creat(?:es|ing) an?|giv(?:es|ing) (?:an?|the)|impl(?:ies|ying)|indicat(?:es|ing)|exud(?:es|ing)|(?:adding|adds) (?:an?|to)|reflect(?:s|ing) (?:an?|his|her|their)|the (?:overall )?(?:mood|atmosphere|expression|vibe) (?:is|suggests|conveys))\b[^.;]*", re.IGNORECASE)
# A clause that speaks of these speaks of the person.
STAYS = re.compile(
    r"\b(?:hair(?:ed|style|cut|line)?|eyes?(?![- ]level)|eyed|eyebrows?|brows|lashes|beard(?:ed)?|mou?stache|stubble|goatee|sideburns|skin(?:ned)?|complexion|wrinkles?|freckle[sd]?|dimples?|bald(?:ing)?|blonde?|brunette|redhead|cheeks?|cheekbones?|jaw(?:line)?|chin|nose|lips"
    r"|physique|slim|slender|muscular|overweight|petite|chubby|stocky|handsome|attractive|beautiful|pretty|gorgeous|ages?|aged|years?[- ]old|(?:in )?(?:his|her|their) (?:early |mid |mid-|late )?(?:teens|twenties|thirties|forties|fifties|sixties|seventies|\d0s)|elderly|youthful|young|teenage"
    r"|caucasian|asian|african|hispanic|latin[oa]|european|middle[- ]eastern|ethnicity|facial features|(?:oval|round|square|heart-shaped|long|narrow|wide) face)\b",
    re.IGNORECASE,
)
IS = re.compile(r"^(?:who\s+)?(?:is|are|was|has been|appears to be|seems to be|can be seen|has|have|and|,)\s+", re.IGNORECASE)
BESIDES = rf"\b(with|beside|behind|and|to|by|near|of|holding|hugging|facing|between)\s+{PERSON_WORDS}"
# Frequent short words, of this language and of those a model slips into.
ENGLISH = frozenset(["a", "an", "the", "in", "on", "at", "of", "with", "and", "is", "wearing", "to", "by", "from", "against", "near"])
FOREIGN = frozenset(["der", "die", "das", "ein", "eine", "einem", "einen", "mit", "und", "ist", "im", "vor", "auf", "trägt", "un", "une", "le", "la", "les", "avec", "dans", "et", "sur", "devant", "el", "una", "con", "y", "en", "de", "del", "los", "las", "está", "il", "che", "uno", "lo", "di", "sul"])
MOST_FOREIGN_LETTERS = 0.15
SEEN_AS = re.compile(r"\b(?:portrait|close-?up|headshot|shot|view|profile|facing|turned|full[- ]body|half[- ]body|full[- ]length|framing|framed|angle)\b", re.IGNORECASE)


def prompt_for(class_word: str) -> str:
    """For a model that does as it is told."""
    article = "an" if class_word[:1].lower() in "aeiou" else "a"
    return (
        f"Describe what is around {article} {class_word} in this photo, for a caption: one phrase of 8 to 20 English words. Say only what could be otherwise in another photo of the same {class_word}: clothes, pose, where the head "
        "turns, how close the camera is, place and light. Leave out everything about hair, beard, eyes, skin, age, body and looks. No full sentence, no opinion, no name, no quotation marks."
    )


def caption_from(answer: str, trigger_word: str, class_word: str) -> str:
    """The caption made of a model's answer, or '' when nothing useful is left."""
    phrase = phrase_from(answer, trigger_word)
    if word_count(phrase) < FEWEST_WORDS or traits_in(phrase):
        return ""
    return compose(trigger_word, class_word, phrase)


def says_how_it_is_seen(text: str) -> bool:
    """Whether a caption has a word for framing or angle."""
    return SEEN_AS.search(text) is not None


def phrase_from(answer: str, trigger_word: str) -> str:
    """What the answer says of the scene, without markup, chatter, opinions, the person and what stays the same of it; '' for a refusal or another language."""
    text = _plain(answer)
    if REFUSALS.search(text) or not is_english(text):
        return ""
    text = re.sub(rf"(?<!\w){re.escape(trigger_word)}(?!\w)[\s,]*", "", text, flags=re.IGNORECASE)
    sentences = [_scene(sentence) for sentence in re.split(r"(?<=[.!?;])\s+", text)]
    joined = ", ".join(dict.fromkeys(filter(None, sentences)))
    return shorten(MOST_WORDS)(joined)


def is_english(text: str) -> bool:
    """By its letters and its short words."""
    letters = [letter for letter in text if letter.isalpha()]
    if sum(not letter.isascii() for letter in letters) > MOST_FOREIGN_LETTERS * len(letters):
        return False
    words = text.lower().split()
    return sum(word in FOREIGN for word in words) <= sum(word in ENGLISH for word in words)


def _plain(answer: str) -> str:
    """One line without tags, markup, labels and what is said to who asked."""
    text = re.sub(r"<think>.*?(?:</think>|$)", " ", html.unescape(answer[:MOST_LETTERS]), flags=re.DOTALL)
    text = re.sub(r"<(script|style)\b.*?(?:</\1>|$)", " ", text, flags=re.DOTALL | re.IGNORECASE)
    text = re.sub(r"<[^<>]*>|!?\[([^\]]*)\]\([^)]*\)|\|[^|\n]*\|", r" \1 ", text)
    text = re.sub(r"[*_`#~<>{}\[\]|\\]+", " ", text)
    lines = [re.sub(r"^(?:[-•–+]|\d+[.)])\s+", "", line.strip()) for line in text.splitlines()]
    said = [LABEL.sub("", line.strip("\"'“”„‘’ ")) for line in lines if line and not (CHATTER.match(line) and (line.endswith((":", "!")) or len(lines) > 1))]
    return one_line(" ".join(line if line.endswith((".", "!", "?", ";", ",")) else f"{line}." for line in said if line)).strip("\"'“”„‘’ ")


def _scene(sentence: str) -> str:
    """Of one sentence what it says besides who is seen."""
    text = LEAD_IN.sub("", OPINION.sub("", sentence.strip(" .!?;,\"“”"))).strip()
    text = re.sub(rf"^(?:(?:an?|the) )?((?:[\w-]+ ){{0,3}}?{PICTURE}) of {PERSON_WORDS}(?!['’])\s*", r"\1, ", text, flags=re.IGNORECASE)
    text = re.sub(rf"^(?:{PERSON_WORDS}|(?:he|she|they|{PERSON})\b)(?!['’])", lambda found: " ".join(DOING.findall(found[0])), text, flags=re.IGNORECASE).strip()
    text = re.sub(rf"{PERSON_WORDS}['’]s", "the", text, flags=re.IGNORECASE)
    text = re.sub(BESIDES, r"\1 somebody", without_traits(text), flags=re.IGNORECASE)
    text = re.sub(r"\s+(?:is|are)\s+(?=\w+ing\b)", " ", re.sub(PERSON_WORDS, "", text, flags=re.IGNORECASE))
    clauses = [_without_is(clause) for clause in re.split(r"\s*,\s*|\s+(?:while|as well as)\s+", REPEATED.sub(r"\1", text))]
    kept = ", ".join(said for clause in clauses if (said := _without_what_stays(clause)).lower() not in EMPTY)
    return _begun_small(kept)


def _begun_small(text: str) -> str:
    """Without the capital of a sentence; 'USA' and 'Eiffel Tower' keep theirs."""
    return text[:1].lower() + text[1:] if re.match(r"[A-Z](?:[a-z’'-]*)(?:$|,|\s(?![A-Z]))", text) else text


def _without_is(clause: str) -> str:
    """'is wearing a suit' -> 'wearing a suit'; 'and has a hat' -> 'a hat'."""
    while (shorter := IS.sub("", clause.strip())) != clause:
        clause = shorter
    return clause


def _without_what_stays(clause: str) -> str:
    """The clause without the part that speaks of the person: 'wearing a suit with long hair' -> 'wearing a suit'."""
    parts = re.split(r"\s+(?=(?:with|and|has|having|wearing|dressed|holding|standing|sitting|seated|looking|leaning|posing)\b)", clause)
    kept = " ".join(part for part in parts if not STAYS.search(part))
    return re.sub(r"^(?:and|has|having|but)\s+", "", kept.strip(" .-–—:")).strip()
