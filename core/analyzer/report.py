"""What an analysis finds: findings with severity, photos, what and fix; the bucket table; one verdict."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from core.durable import write_json

# What a click can do about a finding's photos.
Remedy = Literal["exclude", "crop", "turn", "set trigger", "shorten", "remove traits", "caption again"]
Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(Value):
    """`photos` are sample or file names; `value` was measured, `threshold` is what it was held against."""

    check: str
    severity: Severity
    what: str
    fix: str
    photos: tuple[str, ...] = ()
    remedy: Remedy | None = None
    value: float | None = None
    threshold: float | None = None


class Coverage(Value):
    """Photos by 'angle, framing' as their faces were read, and L* of the faces that were located."""

    cells: dict[str, int] = {}
    lightness: tuple[float, ...] = ()


class BucketRow(Value):
    width: int
    height: int
    photos: tuple[str, ...]


class AnalysisReport(Value):
    folder: str
    photo_count: int
    trigger_word: str
    resolution: int
    findings: tuple[Finding, ...]
    buckets: tuple[BucketRow, ...]
    coverage: Coverage = Coverage()

    def of_severity(self, severity: Severity) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == severity]

    @property
    def verdict(self) -> Literal["ready", "train for a test", "fix first"]:
        if self.of_severity("error"):
            return "fix first"
        return "train for a test" if self.of_severity("warning") else "ready"

    @property
    def top_fixes(self) -> list[Finding]:
        """One finding of each of the three checks that matter most: the gravest first, then those that concern most photos."""
        concerned: Counter[str] = Counter()
        for finding in self.findings:
            concerned[finding.check] += max(1, len(finding.photos))
        gravest = {finding.check: finding for finding in reversed(self.findings) if finding.severity != "note"}
        return sorted(gravest.values(), key=lambda finding: (SEVERITIES.index(finding.severity), -concerned[finding.check]))[:3]

    @property
    def summary(self) -> str:
        """The verdict in one sentence."""
        errors, warnings = len(self.of_severity("error")), len(self.of_severity("warning"))
        if errors:
            return f"Fix first: {_counted(errors, 'error')} and {_counted(warnings, 'warning')} in {_counted(self.photo_count, 'photo')}."
        if warnings:
            return f"Good enough for a test run: {_counted(warnings, 'warning')} in {_counted(self.photo_count, 'photo')}."
        return f"Ready: {_counted(self.photo_count, 'photo')} without a fault found."


def write_report(report: AnalysisReport, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {**report.model_dump(mode="json"), "verdict": report.verdict, "summary": report.summary}
    write_json(file, content)


def read_report(file: Path) -> AnalysisReport | None:
    """None when there is no report, or one of another version."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return AnalysisReport.model_validate({name: content[name] for name in AnalysisReport.model_fields})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def render_text(report: AnalysisReport) -> str:
    """For a terminal."""
    lines = [f"{report.folder}: {report.summary}", ""]
    for severity in SEVERITIES:
        for finding in report.of_severity(severity):
            lines.append(f"{severity.upper():8} {finding.what}")
            if finding.photos:
                lines.append(f"         photos: {', '.join(finding.photos)}")
            lines.append(f"         fix: {finding.fix}")
    lines += ["", f"Buckets at resolution {report.resolution}:"]
    lines += [f"  {row.width:4} x {row.height:<4}  {_counted(len(row.photos), 'photo')}" for row in report.buckets]
    return "\n".join(lines)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
