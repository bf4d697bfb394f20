"""Prospect: what a run would take, in figures a page or a plan can show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Prospect:
    """Times in seconds (very roughly, from the speed of this machine's matrix products), sizes in bytes. `peaks` by phase, which come one after the other; `notes` are sentences."""

    layout: str
    step_seconds: float
    sample_seconds: float
    peaks: dict[str, int]
    memory_free: int
    disk: int
    disk_free: int
    notes: tuple[str, ...]

    @property
    def seconds(self) -> float:
        return self.step_seconds + self.sample_seconds
