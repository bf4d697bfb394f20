"""From pairs to groups: seven crops of one shot are one finding, not twenty-one."""

from __future__ import annotations

from collections.abc import Iterable


def grouped(pairs: Iterable[tuple[str, str, float]]) -> list[tuple[tuple[str, ...], float]]:
    """Names that pairs connect, in the order they first appear, each group with the largest value of its pairs."""
    groups: list[tuple[list[str], float]] = []
    for one, other, value in pairs:
        touching = [group for group in groups if one in group[0] or other in group[0]]
        names = list(dict.fromkeys([name for group, _ in touching for name in group] + [one, other]))
        groups = [group for group in groups if group not in touching] + [(names, max([value, *(most for _, most in touching)]))]
    return [(tuple(names), value) for names, value in groups]


def listed(names: tuple[str, ...]) -> str:
    """'a and b', 'a, b and 5 more'."""
    if len(names) <= 3:
        return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"{names[0]}, {names[1]} and {len(names) - 2} more"
