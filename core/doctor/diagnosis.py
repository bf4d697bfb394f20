"""What the doctor says of one symptom: whether it is there, by which numbers, what of the photos may cause it, and which settings to change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from core.analyzer.report import Finding
from core.settings import Settings, declaration_of, flatten, parse_settings

State = Literal["found", "not found", "not measured"]


@dataclass(frozen=True)
class Seen:
    """The state of a symptom with its evidence in sentences; `to_measure` says what to run where it was not measured."""

    state: State
    evidence: tuple[str, ...] = ()
    to_measure: str = ""


@dataclass(frozen=True)
class Change:
    """One setting, from the run's value to the proposed one."""

    key: str
    old: Any
    new: Any

    @property
    def title(self) -> str:
        return declaration_of(self.key).title


@dataclass(frozen=True)
class Treatment:
    """`advice` in words; `changes` are by section.field, empty where no setting helps."""

    advice: str
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Diagnosis:
    """`photos` are what the analyzer found that feeds this symptom, to be put right before any setting; `photos_note` says so, or that nobody looked."""

    symptom: str
    cause: str
    seen: Seen
    photos: tuple[Finding, ...] = ()
    photos_note: str = ""
    advice: str = ""
    changes: tuple[Change, ...] = ()


def changes_of(settings: Settings, wanted: Mapping[str, Any]) -> tuple[Change, ...]:
    """Only what differs, in the order of the declarations."""
    return tuple(Change(key, old, wanted[key]) for key, old in flatten(settings).items() if key in wanted and old != wanted[key])


def changed(settings: Settings, changes: tuple[Change, ...]) -> Settings:
    """The settings with the changes made. Raises UserError when they do not go together."""
    return parse_settings({**flatten(settings), **{change.key: change.new for change in changes}})


def shown(value: Any) -> str:
    """As a person writes it: on and off for switches."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


