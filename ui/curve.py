"""A curve that is drawn while it grows: of thousands of points it keeps some hundred, evenly spaced, and the newest."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_POINTS = 400


@dataclass
class Curve:
    """Every `stride`-th point (step, value, ...); when there are too many, every other of them goes."""

    newest: tuple[float, ...] | None = None
    _kept: list[tuple[float, ...]] = field(default_factory=list)
    _stride: int = 1
    _added: int = 0

    def add(self, *point: float) -> None:
        self.newest = point
        if self._added % self._stride == 0:
            self._kept.append(point)
        self._added += 1
        if len(self._kept) >= MOST_POINTS:
            self._kept, self._stride = self._kept[::2], 2 * self._stride

    @property
    def points(self) -> list[tuple[float, ...]]:
        """At most MOST_POINTS, in the order they were added; the newest is the last."""
        if self.newest is None or self._kept[-1] == self.newest:
            return self._kept
        return [*self._kept, self.newest]

    def copy(self) -> Curve:
        return Curve(self.newest, list(self._kept), self._stride, self._added)
