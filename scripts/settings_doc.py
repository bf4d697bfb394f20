"""Writes docs/settings.md and scripts/variables.txt from the declarations: `python scripts/settings_doc.py`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.presets import load_preset, preset_names
from core.settings import Declaration, declarations

DOC, VARIABLES = Path("docs/settings.md"), Path("scripts/variables.txt")


def settings_markdown() -> str:
    """One table per section: key, variable, default, range, each preset's value, meaning."""
    presets = [load_preset(name) for name in preset_names()]
    lines = ["# Settings", "", "Made by `python scripts/settings_doc.py` from `core/settings.py`; edit that, not this.", ""]
    lines += ["Order of what counts: defaults, then the preset, then environment variables, then `--set key=value` or the form.", ""]
    section = ""
    for declaration in declarations():
        if declaration.section_title != section:
            section = declaration.section_title
            heads = ["Setting", "Variable", "Default", "Allowed", *(preset.title for preset in presets), "Meaning"]
            lines += ["", f"## {section}", "", f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
        cells = [f"`{declaration.key}`", f"`{declaration.variable}`" if declaration.variable else "", _shown(declaration.default), _allowed(declaration)]
        cells += [_shown(preset.differences[declaration.key]) if declaration.key in preset.differences else "" for preset in presets]
        lines.append(f"| {' | '.join([*cells, f'**{declaration.title}.** {declaration.help}'])} |")
    return "\n".join(lines) + "\n"


def variables_text() -> str:
    return "\n".join([*(d.variable for d in declarations() if d.variable), "DRY_RUN"]) + "\n"


def _allowed(declaration: Declaration) -> str:
    return ", ".join(declaration.choices) or declaration.limits


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return "<br>".join(value)
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def main() -> None:
    DOC.write_text(settings_markdown(), encoding="utf-8")
    VARIABLES.write_text(variables_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
