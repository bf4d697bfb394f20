"""The live log: a line for each event with its level, and the tools that filter it in the browser."""

from __future__ import annotations

from html import escape

from ui.run_view import RunView
from ui.texts import training as texts

TOOLS = (
    f'<div class="log-tools" role="group" aria-label="{texts.LOG_FILTER}">'
    + "".join(f'<button type="button" class="chip-button" data-level-toggle="{level}" aria-pressed="true">{word}</button>' for level, word in texts.LOG_LEVELS.items())
    + f'<label for="log-search" class="sr-only">{texts.LOG_SEARCH}</label><input id="log-search" type="search" placeholder="{texts.LOG_SEARCH}" autocomplete="off"></div>'
)


def level_of(text: str) -> str:
    """By the beginning of the sentence."""
    if text.startswith(_beginning(texts.LOG_FAILED)):
        return "error"
    return "warning" if text.startswith(_beginning(texts.LOG_NOTE)) else "note"


def _beginning(sentence: str) -> str:
    return sentence.partition("{")[0]


def log_html(view: RunView) -> str:
    """The last line at the bottom and in sight."""
    lines = "".join(f'<p class="{level}" data-level="{level}"><time>{clock}</time>  {escape(text)}</p>' for clock, text in view.log for level in (level_of(text),))
    return f'<div class="log" role="log" aria-live="off" aria-label="{texts.LOG_LABEL}" tabindex="0"><div>{lines}<p class="none" hidden>{texts.LOG_NONE}</p></div></div>'
