"""Whether to train the text encoder with this dataset, by the guide's policy. Reads the tokenizer's JSON only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.dataset.folder import Dataset
from core.durable import read_json
from core.signs import GOOD, level_of

# The guide: below this many photos the encoder learns the photos rather than the name.
FEWEST_PHOTOS = 15


@dataclass(frozen=True)
class EncoderAdvice:
    """What the guide says for these photos and this trigger word, with its reasons in plain sentences."""

    recommended: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Finished:
    """A finished run on these photos whose text encoder was frozen: how alike its last samples were."""

    name: str
    likeness: float


def advise_text_encoder(dataset: Dataset, trigger_word: str, model_path: Path, finished: Finished | None = None) -> EncoderAdvice:
    """The guide enables it for a trigger word that means something already and where the identity stays weak, never below 15 photos."""
    known = is_known_word(trigger_word, model_path)
    few = len(dataset.samples) < FEWEST_PHOTOS
    reasons = []
    if few:
        reasons.append(f"{len(dataset.samples)} photos are too few for it: keep it frozen below {FEWEST_PHOTOS}.")
    if known:
        reasons.append(f"'{trigger_word}' is a word the text encoder knows already, so it carries a meaning of its own. A made-up word is better than training.")
    elif known is not None:
        reasons.append(f"'{trigger_word}' is new to the text encoder: frozen is right.")
    weak = finished is not None and finished.likeness < GOOD
    if finished is None:
        reasons.append("If a finished run shows the person only weakly at strength 1.0, run it again with two-phase and regularization, and compare.")
    elif weak:
        reasons.append(f"The last samples of run '{finished.name}' show the person only weakly (likeness {finished.likeness:.2f}, {level_of(finished.likeness)}). Run it again with two-phase and regularization, and compare.")
    else:
        reasons.append(f"The last samples of run '{finished.name}' show the person without it (likeness {finished.likeness:.2f}, {level_of(finished.likeness)}).")
    return EncoderAdvice((bool(known) or weak) and not few, tuple(reasons))


def is_known_word(word: str, model_path: Path) -> bool | None:
    """Whether CLIP has a token for the whole word; None when the model's tokenizer is not there to ask."""
    for name, path in (("vocab.json", ()), ("tokenizer.json", ("model", "vocab"))):
        try:
            vocabulary = read_json(model_path / "tokenizer" / name)
            for key in path:
                vocabulary = vocabulary[key]
            return f"{word.lower()}</w>" in vocabulary
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None
