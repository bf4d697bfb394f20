"""Sections of the training guide, shown beside what they are about; our own file, rendered by Gradio's sanitising Markdown."""

from __future__ import annotations

import re
from pathlib import Path

import gradio as gr

from ui.texts import frame as texts

GUIDE = Path("docs/TRAINING_GUIDE.md")


def section_of(title: str) -> str:
    """The text under a heading of the guide, up to the next of its rank or higher. Raises ValueError for a heading that is not there."""
    text = GUIDE.read_text(encoding="utf-8")
    found = re.search(rf"^(#+) {re.escape(title)}\n", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"the guide has no section '{title}'")
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", re.sub(r"^```.*?^```", lambda code: " " * len(code[0]), rest, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return rest[: end.start() if end else None].strip().removesuffix("---").strip()


def place(*titles: str) -> None:
    """A fold with these sections where the caller stands in the layout."""
    with gr.Accordion(f"{texts.GUIDE_TITLE}: {titles[0]}", open=False, elem_classes="guide"):
        gr.Markdown("\n\n".join(f"#### {title}\n\n{section_of(title)}" for title in titles))
