"""Faults of captions, planted in drawn sets, and sentences no check should mind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from core.dataset.captions import write_caption
from tests.core.planted import Fault

CAPTIONS = 18
# What is said of the person for good, as people write it.
TRAITS = (
    "with long brown hair", "a blonde", "gray-haired", "blue eyes", "with green eyes", "pale skin", "freckles on the nose",
    "a young woman", "an elderly man", "45 years old", "bald", "a brunette with a fringe", "with dark hair tied back", "her hair is dark brown", "his eyes are blue", "in her forties",
    "salt-and-pepper hair", "a redhead", "dark-skinned", "a tanned face", "blue-eyed", "wrinkles", "a scar on the cheek",
)  # fmt: skip
# Marked hard in an earlier list; the rules were extended after it was counted.
SEEN_TRAITS = (
    "with sandy hair", "shoulder-length dark hair", "in her late 20s", "with deep brown eyes", "fair complexion", "a mole on her chin", "crow's feet", "a young adult", "green-eyed", "ginger-haired",
    "a receding hairline", "thick eyebrows", "of about thirty", "olive-toned skin",
)  # fmt: skip
# Written before that extension, though by the same hand; the rules were not extended after these were counted.
HARD_TRAITS = (
    "with strawberry blonde hair", "light brown eyes", "a crooked nose", "high cheekbones", "a square jaw", "full lips", "a cleft chin", "dimples", "jet-black hair", "hazel-eyed", "rosy cheeks", "aged 52",
    "almond-shaped eyes", "a high forehead", "thinning hair", "bushy brows", "an Asian person", "fair-haired", "caramel skin", "around forty years of age",
)  # fmt: skip
# What sounds like a trait and is none.
INNOCENT = (
    "without blonde hair", "no freckles", "in a black hat and a brown coat", "beside an old church", "under young trees", "in a silver car", "with a golden retriever", "holding a pale blue cup",
    "hair blowing in the wind", "eyes closed", "in a gray skirt", "by a dark window", "with a fair wind", "a brown leather bag", "a bald eagle on a sign", "a white hair clip", "beside a statue of an old man",
    "a black cat with green eyes", "with blue eyeliner", "in a wrinkled shirt", "a poster of the 1960s", "aged whisky in a glass", "a hair salon sign", "before a portrait of an old man",
)  # fmt: skip
HARD_INNOCENT = (
    "a square jar on the table", "full glasses on a tray", "in thick fog", "with a thin scarf", "before a high wall", "in a sandy bay", "with rosy apples", "an aged brick wall", "with about thirty books", "in an Asian restaurant", "olive oil on a shelf",
    "hair under a cap", "eyes to the sky", "a dog with brown eyes", "with a nose ring", "lips pursed", "a dimpled golf ball", "a photo of a blonde on the wall",
)  # fmt: skip


def caption_faults(class_word: str) -> list[Fault]:
    """For a set of photo-01 to photo-18 whose captions are 'portrait of ohwx woman, wearing a red shirt, on a beach, ...'."""
    other = "man" if class_word == "woman" else "woman"
    return [
        Fault("no caption", ("caption",), lambda folder: (folder / "photo-07.txt").unlink() or {"photo-07"}),
        Fault("an empty caption", ("caption",), said("photo-07", lambda _: "")),
        Fault("a caption of no photo", ("orphan caption",), lambda folder: write_caption(folder / "lost.txt", "ohwx") or {"lost.txt"}),
        Fault("UTF-16", ("encoding",), spelled("photo-12", "utf-16")),
        Fault("Windows-1252", ("encoding",), spelled("photo-12", "cp1252")),
        Fault("half of a UTF-16 letter", ("file",), _damaged, frozenset({"caption"})),
        Fault("no trigger word", ("trigger",), said("photo-08", lambda text: text.replace("ohwx ", "a "))),
        Fault("the trigger word in capitals", ("trigger",), said("photo-08", lambda text: text.replace("ohwx", "OHWX"))),
        Fault("a trigger word with a typing error", ("trigger",), said("photo-08", lambda text: text.replace("ohwx", "ohxw"))),
        Fault("an everyday trigger word", ("ambiguous trigger",), lambda _: (), dataset={"trigger_word": class_word}),
        Fault("an English word as trigger word", ("ambiguous trigger",), _called("violet"), dataset={"trigger_word": "violet"}),
        Fault("a first name as trigger word", ("ambiguous trigger",), _called("Anna"), dataset={"trigger_word": "Anna"}),
        Fault("a trigger word inside others", ("ambiguous trigger",), _inside_others, dataset={"trigger_word": "oli"}),
        Fault("the trigger word twice", ("repeated trigger",), said("photo-08", lambda text: f"{text}, ohwx smiling")),
        Fault("50 words", ("verbose caption",), said("photo-09", lambda text: f"{text} {_words(38)}")),
        Fault("90 words", ("verbose caption",), said("photo-09", lambda text: f"{text} {_words(80)}")),
        Fault("the same caption", ("identical captions",), _said_twice(lambda text: text)),
        Fault("the same caption in other commas", ("identical captions",), _said_twice(lambda text: text.replace(",", "").upper().replace("OHWX", "ohwx"))),
        Fault("the same caption and one word", ("similar captions",), _said_twice(lambda text: f"{text}, smiling")),
        Fault("two colours of hair", ("contradiction",), _disagreeing(("blonde hair", "blonde hair", "dark brown hair")), frozenset({"permanent traits"})),
        Fault("two colours of eyes", ("contradiction",), _disagreeing(("blue eyes", "brown eyes")), frozenset({"permanent traits"})),
        Fault("young and old", ("contradiction",), _disagreeing(("a young person", "an old person")), frozenset({"permanent traits"})),
        Fault("man and woman", ("contradiction",), _renamed(class_word, ("man", "woman") if class_word == "person" else (other,))),
        *(Fault(f"'{trait}'", ("permanent traits",), said("photo-13", lambda text, trait=trait: f"{text}, {trait}"), _gender_of(trait, class_word)) for trait in (*TRAITS, *SEEN_TRAITS)),
        *(Fault(f"'{trait}'", ("permanent traits",), said("photo-13", lambda text, trait=trait: f"{text}, {trait}"), is_hard=True) for trait in HARD_TRAITS),
    ]


def say(folder: Path, phrases: Iterable[str]) -> None:
    """One phrase to each caption, and to the first ones another."""
    for number, phrase in enumerate(phrases):
        said(f"photo-{number % CAPTIONS + 1:02d}", lambda text, phrase=phrase: f"{text}, {phrase}")(folder)


def said(name: str, edit: Callable[[str], str]) -> Callable[[Path], Collection[str]]:
    def plant(folder: Path) -> Collection[str]:
        file = folder / f"{name}.txt"
        write_caption(file, edit(file.read_text(encoding="utf-8").strip()))
        return {name}

    return plant


def spelled(name: str, encoding: str) -> Callable[[Path], Collection[str]]:
    def plant(folder: Path) -> Collection[str]:
        file = folder / f"{name}.txt"
        file.write_bytes(f"{file.read_text(encoding='utf-8').strip()}, in a café".encode(encoding))
        return {name}

    return plant


def _damaged(folder: Path) -> Collection[str]:
    spelled("photo-12", "utf-16")(folder)
    file = folder / "photo-12.txt"
    file.write_bytes(file.read_bytes()[:-1])
    return {"photo-12.txt"}


def _called(trigger_word: str) -> Callable[[Path], Collection[str]]:
    """The trigger word of every caption becomes this one."""

    def plant(folder: Path) -> Collection[str]:
        for file in folder.glob("*.txt"):
            write_caption(file, file.read_text(encoding="utf-8").replace("ohwx", trigger_word))
        return ()

    return plant


def _inside_others(folder: Path) -> Collection[str]:
    _called("oli")(folder)
    return said("photo-08", lambda text: f"{text}, under an olive tree")(folder)


def _said_twice(edit: Callable[[str], str]) -> Callable[[Path], Collection[str]]:
    def plant(folder: Path) -> Collection[str]:
        text = (folder / "photo-10.txt").read_text(encoding="utf-8").strip()
        return {"photo-10", *said("photo-11", lambda _: edit(text))(folder)}

    return plant


def _disagreeing(claims: Iterable[str]) -> Callable[[Path], Collection[str]]:
    def plant(folder: Path) -> Collection[str]:
        return {name for number, claim in enumerate(claims, 13) for name in said(f"photo-{number:02d}", lambda text, claim=claim: f"{text}, {claim}")(folder)}

    return plant


def _renamed(class_word: str, others: Iterable[str]) -> Callable[[Path], Collection[str]]:
    """'ohwx woman' becomes 'ohwx man' in one caption each."""

    def plant(folder: Path) -> Collection[str]:
        return {name for number, other in enumerate(others, 13) for name in said(f"photo-{number:02d}", lambda text, other=other: text.replace(f"ohwx {class_word}", f"ohwx {other}"))(folder)}

    return plant


def _gender_of(trait: str, class_word: str) -> frozenset[str]:
    """'A young woman' of a man is a contradiction besides."""
    named = {"man", "woman"} & set(trait.split())
    return frozenset({"contradiction"}) if named - {class_word} and class_word != "person" else frozenset()


def _words(count: int) -> str:
    return " ".join(f"word{number}" for number in range(count))
