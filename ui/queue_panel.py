"""The runs that wait: their order, why they do not go on, and what the buttons among them do."""

from __future__ import annotations

from html import escape

from core.errors import UserError
from core.run_queue import Queue, RunQueue, Waiting
from ui.messages import as_html
from ui.pictures import NOTHING
from ui.texts import runs as texts


def queue_html(queue: RunQueue) -> str:
    """A queue that cannot be read is said in its place."""
    try:
        return _shown(queue.read())
    except UserError as error:
        return f'<section class="queue"><p class="went-wrong">{as_html(error)}</p></section>'


def _shown(queue: Queue) -> str:
    wrong = "".join(f'<p class="went-wrong">{texts.QUEUE_NOT_STARTED.format(why=escape(sentence))}</p>' for sentence in queue.failed)
    if not queue.waiting:
        return f'<section class="queue">{wrong}{NOTHING.format(texts.QUEUE_EMPTY)}</section>'
    ask = ""
    if queue.held:
        words = escape(texts.QUEUE_ASK.format(why=queue.held))
        ask = f'<div class="ask" role="alert"><b>{words}</b><button type="button" data-do="queue-go-on">{texts.QUEUE_GO_ON}</button><button type="button" data-do="queue-clear">{texts.QUEUE_CLEAR}</button></div>'
    rows = "".join(_row(waiting, number, len(queue.waiting)) for number, waiting in enumerate(queue.waiting))
    return f'<section class="queue">{wrong}{ask}<ol>{rows}</ol></section>'


def _row(waiting: Waiting, number: int, count: int) -> str:
    name, settings = escape(waiting.name), waiting.settings
    words = texts.QUEUE_ROW.format(steps=settings.train.steps, side=settings.dataset.resolution, folder=settings.dataset.folder)
    return (
        f'<li><b>{number + 1}. <bdi>{name}</bdi> <span class="small">{escape(waiting.preset)}, {escape(words)}</span></b>'
        f"{_button('queue-up', waiting, number == 0)}{_button('queue-down', waiting, number == count - 1)}{_button('queue-remove', waiting, False)}</li>"
    )


def _button(act: str, waiting: Waiting, is_off: bool) -> str:
    word = texts.QUEUE_MOVES[act]
    return f'<button type="button" data-do="{act}" data-what="{waiting.identity}" aria-label="{word}: {escape(waiting.name, quote=True)}"{" disabled" if is_off else ""}>{word}</button>'
