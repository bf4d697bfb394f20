"""Arrivals: files on their way into a dataset, and the receipt that says what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from core.errors import UserError

Outcome = Literal["added", "renamed", "already there", "refused"]
# The layout of the guide: images/anna.jpg belongs to captions/anna.txt.
LAYOUT_FOLDERS = frozenset({"images", "captions"})
LONGEST_SHOWN = 160


@dataclass(frozen=True)
class Arrival:
    """A file that lies here, the name or path it came under, and the archive it was in ('' for none)."""

    name: str
    file: Path
    archive: str = ""

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix.lower()

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name.replace("\\", "/")).stem

    @property
    def pair(self) -> tuple[str, ...]:
        """The same for a photo and its caption."""
        path = PurePosixPath(self.name.replace("\\", "/"))
        return (self.archive, *(part for part in path.parent.parts if part.lower() not in LAYOUT_FOLDERS), path.stem)

    @property
    def shown(self) -> str:
        return (f"{self.archive}: {self.name}" if self.archive else self.name)[:LONGEST_SHOWN]


@dataclass(frozen=True)
class Receipt:
    """`name` as it came; `saved` is what it is called in the dataset, empty when it is not there; `what` is for the person, or empty."""

    name: str
    outcome: Outcome
    saved: str = ""
    what: str = ""


def refusal(arrival: Arrival, error: UserError) -> Receipt:
    return Receipt(arrival.shown, "refused", what=f"{error.what} {error.fix}".strip())
