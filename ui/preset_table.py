"""How the presets differ, as a small table made from the presets themselves."""

from __future__ import annotations

from html import escape

from core.presets import load_preset, preset_names
from core.run_history import in_words, preset_settings
from core.settings import declaration_of, value_of
from ui.texts import training as texts


def preset_table(chosen: str) -> str:
    """A row for each setting of the plain list in which presets differ, a column each, the chosen one marked; the rest is counted."""
    presets = {name: preset_settings(name) for name in preset_names()}
    differing = [key for key in _keys() if len({value_of(settings, key) for settings in presets.values()}) > 1]
    shown = [key for key in texts.DIFFERS_PLAIN if key in differing]
    marks = {name: ' class="chosen"' if name == chosen else "" for name in presets}
    head = "".join(f'<th scope="col"{marks[name]}>{escape(load_preset(name).title)}</th>' for name in presets)
    rows = "".join(
        f'<tr><th scope="row" title="{escape(declaration_of(key).help, quote=True)}">{escape(texts.DIFFERS_PLAIN[key])}</th>' + "".join(f"<td{marks[name]}>{_short(value_of(settings, key))}</td>" for name, settings in presets.items()) + "</tr>"
        for key in shown
    )
    rest = len(differing) - len(shown)
    more = f'<p class="small">{texts.DIFFERS_REST.format(count=rest)}</p>' if rest else ""
    return f'<details class="help" data-fold="differs"><summary>{texts.DIFFERS_TITLE}</summary><table class="differs"><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>{more}</details>'


def _keys() -> list[str]:
    return list(dict.fromkeys(key for name in preset_names() for key in load_preset(name).differences))


def _short(value: object) -> str:
    words = in_words(value)
    return escape(words.rpartition("/")[2].replace("_", " ") if isinstance(value, str) else words)
