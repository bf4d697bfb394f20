"""Past runs: a row each with result, settings differences, note and files; deleted ones that can come back; two runs compared."""

from __future__ import annotations

import time
from html import escape
from urllib.parse import quote

from core.errors import UserError
from core.pace import duration
from core.presets import load_preset, preset_names
from core.run_history import Account, Difference, differences, note_of, preset_of, preset_settings
from core.runs import Run
from core.settings import Settings
from core.trash import Deleted
from ui.messages import as_html
from ui.pictures import NOTHING
from ui.studio import Studio
from ui.texts import runs as texts

MOST_ROWS = 100
PRESET_MARK = "preset: "


def history_key(studio: Studio) -> tuple:
    """Changes when a row does, not with every step of a running run."""
    root = studio.store.root
    notes = tuple((root / name / "note.txt").stat().st_mtime_ns if (root / name / "note.txt").exists() else 0 for name in studio.store.names()[:MOST_ROWS])
    trash = studio.trash.root.stat().st_mtime_ns if studio.trash.root.is_dir() else 0
    return tuple(studio.store.names()), notes, trash, studio.store.holder()


def history_html(studio: Studio) -> str:
    names = studio.store.names()
    rows = "".join(_row(name, studio) for name in names[:MOST_ROWS])
    more = f'<p class="small">{texts.HISTORY_MORE.format(count=len(names) - MOST_ROWS)}</p>' if len(names) > MOST_ROWS else ""
    head = "".join(f'<th scope="col">{title}</th>' for title in texts.HISTORY_HEADS)
    table = f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{more}' if names else NOTHING.format(texts.HISTORY_EMPTY)
    return f'<section class="history">{table}{_trash(studio.trash.listing())}</section>'


def _row(name: str, studio: Studio) -> str:
    """A run that cannot be read is said in its row, and can be deleted by hand only."""
    try:
        run = studio.store.load(name)
        account = studio.accounts.of(run)
    except UserError as error:
        return f'<tr><td data-label="{texts.HISTORY_HEADS[0]}"><bdi class="name">{escape(name)}</bdi></td><td colspan="{len(texts.HISTORY_HEADS) - 1}">{as_html(error)}</td></tr>'
    live = studio.store.is_training(run)
    preset = preset_of(run)
    cells = (
        f'<button type="button" class="name" data-do="show-run" data-what="{escape(name, quote=True)}"><bdi>{escape(name)}</bdi></button>',
        time.strftime("%d %b %H:%M", time.localtime(account.started)),
        _ended(account, live),
        texts.HISTORY_STEPS_LIVE.format(steps=account.steps) if live else texts.HISTORY_STEPS.format(step=account.step, steps=account.steps),
        duration(account.seconds) if account.seconds else "",
        f"{account.held_out:.4f}" if account.held_out is not None else "",
        _against(load_preset(preset).title, differences(run.settings, preset_settings(preset)), name),
        _note(name, note_of(run)),
        _acts(run, account, live),
    )
    body = "".join(f'<td data-label="{title}"{" class=acts" if title == "" else ""}>{cell}</td>' for title, cell in zip(texts.HISTORY_HEADS, cells, strict=True))
    return f"<tr>{body}</tr>"


def _ended(account: Account, live: bool) -> str:
    word = texts.HISTORY_LIVE if live else texts.HISTORY_ENDS[account.ended]
    return f'<span class="word {"running" if live else account.ended or "interrupted"}">{word}</span>'


def _against(preset: str, found: list[Difference], name: str) -> str:
    if not found:
        return texts.AS_PRESET.format(preset=escape(preset))
    fold = escape(f"differs-{name}", quote=True)
    return f'<details data-fold="{fold}"><summary>{texts.CHANGED.format(preset=escape(preset), count=len(found))}</summary>{difference_list(found)}</details>'


def difference_list(found: list[Difference]) -> str:
    items = "".join(f"<li>{texts.INSTEAD.format(title=escape(one.title), mine=escape(one.mine), theirs=escape(one.theirs))}</li>" for one in found)
    return f"<ul>{items}</ul>"


def _note(name: str, note: str) -> str:
    shown, key = escape(note), escape(name, quote=True)
    first = escape(note.splitlines()[0][:60]) if note else texts.NOTE_ADD
    return f'<details data-fold="note-{key}"><summary>{first}</summary><textarea data-note="{key}" rows="3" maxlength="2000" aria-label="{texts.NOTE_ON.format(name=key)}">{shown}</textarea><button type="button" data-do="note" data-what="{key}">{texts.NOTE_SAVE}</button></details>'


def _acts(run: Run, account: Account, live: bool) -> str:
    name, address = escape(run.name, quote=True), quote(run.name)
    acts = [f'<button type="button" data-do="resume" data-what="{name}">{texts.RESUME}</button>'] if account.ended != "finished" and not live else []
    if run.lora_file.is_file():
        acts.append(f'<a class="chip-button" href="lora/{address}.safetensors" download>{texts.LORA_FILE}</a>')
    acts.append(f'<a class="chip-button" href="runs/{address}/log.txt" download>{texts.LOG_FILE}</a>')
    files = f"runs/{address}/everything.zip"
    asked = ("", "?checkpoints=true", "?checkpoints=true&amp;photos=true")
    choices = "".join(f'<p><a href="{files}{more}" download>{words}</a></p>' for more, words in zip(asked, texts.ZIP_CHOICES, strict=True))
    acts.append(f'<details data-fold="zip-{name}"><summary>{texts.ZIP_FILE}</summary>{choices}</details>')
    acts += [] if live else [f'<button type="button" data-do="delete" data-what="{name}" aria-label="{texts.DELETE_NAMED.format(name=name)}">{texts.DELETE}</button>']
    return "".join(acts)


def _trash(deleted: list[Deleted]) -> str:
    if not deleted:
        return ""
    rows = "".join(
        f'<li><bdi>{escape(one.name)}</bdi>{texts.TRASH_GOES.format(day=time.strftime("%d %b", time.localtime(one.goes_for_good())))} <button type="button" data-do="undo-delete" data-what="{one.identity}">{texts.BRING_BACK}</button></li>' for one in deleted
    )
    empty = f'<button type="button" data-do="empty-trash">{texts.TRASH_EMPTY_NOW}</button>'
    return f'<details data-fold="trash"><summary>{texts.TRASH.format(count=len(deleted))}</summary><ul>{rows}</ul>{empty}</details>'


def comparable(studio: Studio) -> list[str]:
    """Presets first, then runs, newest first."""
    return [f"{PRESET_MARK}{name}" for name in preset_names()] + studio.store.names()


def comparison_html(chosen: str | None, other: str | None, studio: Studio) -> str:
    """Raises UserError for a name of no listing."""
    if not chosen or not other:
        return ""
    found = differences(studio.store.load(chosen).settings, _settings_of(other, studio))
    if not found:
        return f"<p>{texts.COMPARE_SAME}</p>"
    rows = "".join(f"<tr><th scope='row'>{escape(one.title)}</th><td>{escape(one.mine)}</td><td>{escape(one.theirs)}</td></tr>" for one in found)
    return f'<div class="scroll"><table class="differs"><thead><tr><th></th><th scope="col"><bdi>{escape(chosen)}</bdi></th><th scope="col"><bdi>{escape(other)}</bdi></th></tr></thead><tbody>{rows}</tbody></table></div>'


def _settings_of(other: str, studio: Studio) -> Settings:
    return preset_settings(other.removeprefix(PRESET_MARK)) if other.startswith(PRESET_MARK) else studio.store.load(other).settings
