"""Presets are YAML differences from the defaults; on top come the guide's environment variables, then key=value pairs."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from core.errors import UserError
from core.settings import Settings, declaration_of, declarations, parse_settings

PRESETS_FOLDER = Path("presets")
SWITCHES = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Preset:
    """`differences` maps section.field to a value."""

    name: str
    title: str
    description: str
    differences: dict[str, Any]


@dataclass(frozen=True)
class Resolved:
    """Settings of a run and, per section.field, where the value came from in words."""

    settings: Settings
    origins: dict[str, str]
    preset: str


def preset_names(folder: Path = PRESETS_FOLDER) -> list[str]:
    """fast, final, demo first, then others by name."""
    found = {file.stem for file in folder.glob("*.yaml")}
    shipped = [name for name in ("fast", "final", "demo") if name in found]
    return shipped + sorted(found - set(shipped))


def load_preset(name: str, folder: Path = PRESETS_FOLDER) -> Preset:
    """Raises UserError for an unknown name (the nearest is suggested) or a file that is not a preset."""
    known = preset_names(folder)
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        raise UserError(f"There is no preset '{name}'.", str(folder), f"Did you mean '{near[0]}'?" if near else f"Choose one of {', '.join(known)}.")
    file = folder / f"{name}.yaml"
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"The preset cannot be read: {error}", str(file), "Correct the file, or restore it from the repository.") from None
    if not isinstance(content, dict) or not isinstance(content.get("settings"), dict):
        raise UserError("The preset has no 'settings' section.", str(file), "Compare it with presets/fast.yaml.")
    differences = {}
    for section, fields in content["settings"].items():
        for field, value in (fields or {}).items():
            declaration_of(f"{section}.{field}")
            differences[f"{section}.{field}"] = tuple(value) if isinstance(value, list) else value
    return Preset(name, content.get("title", name), content.get("description", ""), differences)


def resolve(preset_name: str, environment: Mapping[str, str], pairs: list[str] | None = None, folder: Path = PRESETS_FOLDER) -> Resolved:
    """Defaults < preset < environment variables < key=value pairs.

    Raises UserError with the offending value, its source and what is allowed.
    """
    preset = load_preset(preset_name, folder)
    values = dict(preset.differences)
    origins = dict.fromkeys(values, f"preset {preset_name}")
    parse_settings(values, origins)  # so that a broken preset is named before anything laid over it
    for key, (value, variable) in from_environment(environment).items():
        values[key] = value
        origins[key] = f"variable {variable}"
    for key, value in from_pairs(pairs or []).items():
        values[key] = value
        origins[key] = f"--set {key}"
    return Resolved(parse_settings(values, origins), origins, preset_name)


def from_environment(environment: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    """section.field -> (value, variable) for every variable of the guide that is set and not empty."""
    found = {}
    for declaration in declarations():
        variable = declaration.variable
        if variable and environment.get(variable, "") != "":
            found[declaration.key] = (_convert(declaration.key, environment[variable], f"variable {variable}"), variable)
    return found


def guide_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Only the variables that override settings: nothing else of the environment, secrets least of all, travels further."""
    names = {declaration.variable for declaration in declarations()}
    return {name: value for name, value in environment.items() if name in names}


def from_pairs(pairs: list[str]) -> dict[str, Any]:
    """section.field -> value for texts like train.steps=2000."""
    found = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise UserError(f"'{pair}' is not of the form key=value.", "--set", "Write for example --set train.steps=2000.")
        found[key.strip()] = _convert(key.strip(), text.strip(), f"--set {key.strip()}")
    return found


def _convert(key: str, text: str, source: str) -> Any:
    """Text to what the field takes; numbers are left to the settings, which know their limits."""
    annotation = declaration_of(key).field.annotation
    if annotation is bool:
        if text.lower() not in SWITCHES:
            raise UserError(f"{key} = {text!r} is neither on nor off.", source, "Use 1 or 0.")
        return SWITCHES[text.lower()]
    if annotation == tuple[str, ...]:
        return tuple(line.strip() for line in text.replace("|", "\n").splitlines() if line.strip())
    return text
