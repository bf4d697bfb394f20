"""Evaluation prompts: what each is there to test, the files they come from, and filling in who they are about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.dataset.captions import fill_prompt
from core.errors import UserError
from core.identity.faces import Angle

PROMPTS_FILE = Path("presets/sample_prompts.txt")
# A base model whose vocabulary is its own lies beside prompts it understands.
MODEL_PROMPTS_NAME = "sample_prompts.txt"
LONGEST_PROMPT = 1000
MOST_PROMPTS = 24
CLASS_KIND, TWO_PEOPLE_KIND, STYLE_KIND, PLAIN_KIND = "class", "two people", "style", "person"
ANGLE_OF_KIND: dict[str, Angle] = {"front": "front view", "three-quarter": "three-quarter view", "profile": "profile view"}
# A prompt without a mark is of the kind "person".
KINDS_OF_PERSON = (*ANGLE_OF_KIND, "full body", "clothes", "light", "expression", PLAIN_KIND)
KINDS = (*KINDS_OF_PERSON, STYLE_KIND, CLASS_KIND, TWO_PEOPLE_KIND)
MARK = re.compile(r"^\[([^\]]*)\]\s*")
# The first look at many checkpoints: these kinds ask for what fails first, an angle and new clothes.
FIRST_LOOK_KINDS = ("front", "three-quarter", "clothes")


@dataclass(frozen=True)
class Prompt:
    """`text` may hold {trigger} and {class}; `kind` is one of KINDS and decides which measures look at its pictures."""

    text: str
    kind: str = PLAIN_KIND

    @property
    def line(self) -> str:
        """As it stands in a file."""
        return self.text if self.kind == PLAIN_KIND else f"[{self.kind}] {self.text}"


def prompts_file(model_path: str) -> Path:
    """The base model's own prompts where it brings some, else the shipped ones."""
    own = Path(model_path) / MODEL_PROMPTS_NAME
    return own if own.is_file() else PROMPTS_FILE


def read_prompts(file: Path = PROMPTS_FILE) -> list[Prompt]:
    try:
        return parse_prompts(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The prompts cannot be read: {error}", str(file), "Restore the file from the repository.") from None


def parse_prompts(text: str) -> list[Prompt]:
    """One prompt per line, with its kind in brackets before it; empty lines and lines starting with # are left out.

    Raises UserError for none, too many, too long ones, or a kind that is not known.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    if not 1 <= len(lines) <= MOST_PROMPTS:
        raise UserError(f"There are {len(lines)} prompts.", "prompts", f"Write 1 to {MOST_PROMPTS} prompts, one per line.")
    prompts = [_prompt(line) for line in lines]
    long = [prompt for prompt in prompts if len(prompt.text) > LONGEST_PROMPT]
    if long:
        raise UserError(f"A prompt has {len(long[0].text)} characters.", "prompts", f"Keep prompts under {LONGEST_PROMPT} characters; the text encoder reads about 300 words.")
    return prompts


def fill(prompts: Sequence[Prompt], trigger_word: str, class_word: str) -> tuple[str, ...]:
    """Every prompt with its person; see fill_prompt."""
    return tuple(fill_prompt(prompt.text, trigger_word, class_word) for prompt in prompts)


def first_look(prompts: Sequence[Prompt]) -> list[int]:
    """Numbers of the few prompts that many checkpoints are compared on: one of each telling kind, filled up with others of the person."""
    chosen: list[int] = []
    for kind in FIRST_LOOK_KINDS:
        chosen += [i for i, prompt in enumerate(prompts) if prompt.kind == kind][:1]
    others = [i for i, prompt in enumerate(prompts) if prompt.kind in KINDS_OF_PERSON and i not in chosen]
    return sorted((chosen + others)[: len(FIRST_LOOK_KINDS)])


def _prompt(line: str) -> Prompt:
    mark = MARK.match(line)
    if not mark:
        return Prompt(line)
    kind, text = mark.group(1).strip().lower(), line[mark.end() :]
    if kind not in KINDS:
        raise UserError(f"'[{mark.group(1)[:40]}]' is no kind of prompt.", "prompts", f"Kinds are: {', '.join(f'[{known}]' for known in KINDS)}; or leave the brackets away.")
    if not text:
        raise UserError(f"A line holds only '[{kind}]'.", "prompts", "Write the prompt after the brackets.")
    return Prompt(text, kind)
