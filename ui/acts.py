"""What the buttons inside our HTML do: a click arrives as a wish in JSON (ui/server/studio.js), and one handler here grants or refuses it."""

from __future__ import annotations

import time
from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from core.durable import parse_json
from core.errors import Refused
from core.pod_stop import PodStop
from core.run_history import write_note
from core.tasks import start_resume
from core.trash import DAYS_KEPT
from ui.messages import QUIET, shows_errors
from ui.studio import Studio
from ui.texts import runs as texts

LONGEST_WISH = 10_000


class Acts:
    """`run` and `preset` are the choices of the Training tab, which some wishes change."""

    def __init__(self, studio: Studio, run: gr.Dropdown, preset: gr.Dropdown) -> None:
        self.studio = studio
        self.outputs = [run, preset]
        self.grants: dict[str, Callable[[str, str], list[Any] | None]] = {
            "queue-up": lambda what, _: studio.queue.move(what, -1),
            "queue-down": lambda what, _: studio.queue.move(what, 1),
            "queue-remove": lambda what, _: studio.queue.remove(what),
            "queue-clear": lambda *_: studio.queue.clear(),
            "queue-go-on": lambda *_: studio.queue.go_on(),
            "show-run": lambda what, _: [gr.update(value=what) if what in studio.store.names() else gr.skip(), gr.skip()],
            "resume": lambda what, _: start_resume(studio.trainer, what, studio.store),
            "note": self._note,
            "delete": self._delete,
            "undo-delete": self._undo_delete,
            "empty-trash": self._empty_trash,
            "pod-stop": lambda *_: self._pod_stop().begin(),
            "pod-stay": lambda *_: self._keep_pod(),
            "choose-preset": lambda what, _: [gr.skip(), gr.update(value=what)],
            "rehearse": lambda *_: [gr.skip(), gr.update(value="demo")],
            "own": lambda *_: [gr.skip(), gr.update(value="fast")],
        }

    def wire(self) -> None:
        wish = gr.Textbox(visible="hidden", elem_id="act", max_lines=1)
        wish.change(shows_errors(self.grant), wish, self.outputs, **QUIET)

    def grant(self, text: str) -> list[Any]:
        """Raises Refused for what is no wish of ours."""
        if not text:
            return [gr.skip()] * 2
        kind, what, said = read_wish(text)
        if kind not in self.grants:
            raise Refused("There is no such button.", "", "Reload the page.")
        return self.grants[kind](what, said) or [gr.skip()] * 2

    def _pod_stop(self) -> PodStop:
        if self.studio.pod_stop is None:
            raise Refused("There is no pod here that could be stopped.", "", "")
        return self.studio.pod_stop

    def _keep_pod(self) -> None:
        if not self._pod_stop().cancel():
            raise Refused("It is too late, or nothing was under way.", "", "Start the pod again in the provider's console.")

    def _note(self, name: str, said: str) -> None:
        write_note(name, said, self.studio.store)
        gr.Info(texts.NOTE_SAVED, duration=3)

    def _delete(self, name: str, _: str) -> None:
        self.studio.trash.sweep(time.time())
        self.studio.trash.delete(name)
        gr.Info(escape(texts.DELETE_SAID.format(name=name, days=DAYS_KEPT)), duration=6)

    def _undo_delete(self, identity: str, _: str) -> None:
        gr.Info(escape(texts.UNDO_SAID.format(name=self.studio.trash.undo(identity))), duration=4)

    def _empty_trash(self, *_: str) -> None:
        gr.Info(texts.TRASH_GONE.format(count=self.studio.trash.empty()), duration=4)


def read_wish(text: str) -> tuple[str, str, str]:
    """Raises Refused for anything but a small JSON object of texts."""
    try:
        wish = parse_json(text) if len(text) <= LONGEST_WISH else None
    except ValueError:
        wish = None
    values = [wish.get(key, "") for key in ("do", "what", "text")] if isinstance(wish, dict) else []
    if not values or not all(isinstance(value, str) for value in values):
        raise Refused("That click cannot be understood.", "", "Reload the page.")
    return values[0], values[1], values[2]
