"""UserError: the one exception whose text is written for the person at the page."""

from __future__ import annotations


class UserError(Exception):
    """What went wrong, where, and the fix, each one plain sentence with the real values in it."""

    def __init__(self, what: str, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"Where: {self.where}")
        if self.fix:
            lines.append(f"Fix: {self.fix}")
        return "\n".join(lines)


class Refused(UserError):
    """A request that cannot be done now or with these settings; nothing was started or changed."""
