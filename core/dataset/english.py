"""English: whether a word is in the dictionary or somebody's first name, and so means something to the model already."""

from __future__ import annotations

import functools
import gzip
import re
from pathlib import Path

from core.errors import UserError

# SCOWL's words and names; its licence lies beside it.
ENGLISH_WORDS = Path("presets/words/english.txt.gz")


def is_english(phrase: str, words: Path = ENGLISH_WORDS) -> bool:
    """Whether every word of it is known; a phrase without letters is no word. Raises UserError when the list cannot be read."""
    parts = re.findall(r"[^\W\d_]+", phrase.lower())
    return bool(parts) and re.sub(r"[\W_]", "", phrase.lower()) == "".join(parts) and all(part in _words(words) for part in parts)


@functools.lru_cache(maxsize=1)
def _words(file: Path) -> frozenset[str]:
    try:
        with gzip.open(file, "rt", encoding="utf-8") as opened:
            return frozenset(opened.read().split())
    except (OSError, EOFError, ValueError) as error:
        raise UserError(f"The list of English words cannot be read: {error}.", str(file), "Restore presets/ from the repository.") from None
