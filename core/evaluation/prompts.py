"""Evaluation prompts: the shipped file, and filling in who they are about."""

from __future__ import annotations

from pathlib import Path

from core.dataset.captions import fill_prompt
from core.errors import UserError

PROMPTS_FILE = Path("presets/sample_prompts.txt")
LONGEST_PROMPT = 1000
MOST_PROMPTS = 24


def read_prompts(file: Path = PROMPTS_FILE) -> list[str]:
    try:
        return parse_prompts(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The prompts cannot be read: {error}", str(file), "Restore the file from the repository.") from None


def parse_prompts(text: str) -> list[str]:
    """One prompt per line; empty lines and lines starting with # are left out. Raises UserError for none, too many or too long."""
    prompts = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    if not 1 <= len(prompts) <= MOST_PROMPTS:
        raise UserError(f"There are {len(prompts)} prompts.", "prompts", f"Write 1 to {MOST_PROMPTS} prompts, one per line.")
    long = [prompt for prompt in prompts if len(prompt) > LONGEST_PROMPT]
    if long:
        raise UserError(f"A prompt has {len(long[0])} characters.", "prompts", f"Keep prompts under {LONGEST_PROMPT} characters; the text encoder reads about 300 words.")
    return prompts


def fill(prompts: list[str], trigger_word: str, class_word: str) -> tuple[str, ...]:
    """Every prompt with its person; see fill_prompt."""
    return tuple(fill_prompt(prompt, trigger_word, class_word) for prompt in prompts)
