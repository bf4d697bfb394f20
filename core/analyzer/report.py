"""What an analysis finds: findings with severity, photos, what and fix; the bucket table; one verdict."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from core.durable import read_json, write_json

# What a click can do about a finding's photos.
Remedy = Literal["exclude", "crop", "turn", "straighten", "set trigger", "shorten", "remove traits", "caption again"]
Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(Value):
    """`photos` are sample or file names; `value` was measured, `threshold` is what it was held against; `measure` names the value where a check has several."""

    check: str
    severity: Severity
    what: str
    fix: str
    photos: tuple[str, ...] = ()
    remedy: Remedy | None = None
    value: float | None = None
    threshold: float | None = None
    measure: str | None = None


class Coverage(Value):
    """Photos by 'angle, framing' as their faces were read, and the light on the faces that were located (core.identity.face_pixels.Light)."""

    cells: dict[str, int] = {}
    lightness: tuple[float, ...] = ()
    side: tuple[float, ...] = ()
    warmth: tuple[float, ...] = ()


class BucketRow(Value):
    """`loss` is the largest share that is cut away from one of its photos."""

    width: int
    height: int
    photos: tuple[str, ...]
    loss: float = 0.0


class AnalysisReport(Value):
    """`files_state` is core.dataset.folder.files_state of the folder as it was analyzed."""

    folder: str
    files_state: str = ""
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
        """One finding of each of the three checks that matter most: the gravest first, then those that concern most photos; what names no photo concerns them all; then as the report lists them."""
        concerned: Counter[str] = Counter()
        for finding in self.findings:
            concerned[finding.check] += len(finding.photos) or self.photo_count
        gravest = {finding.check: finding for finding in reversed(self.findings) if finding.severity != "note"}
        return sorted(gravest.values(), key=lambda finding: (SEVERITIES.index(finding.severity), -concerned[finding.check], self.findings.index(finding)))[:3]

    @property
    def summary(self) -> str:
        """The verdict in one sentence."""
        errors, warnings = len(self.of_severity("error")), len(self.of_severity("warning"))
        if errors:
            return f"Fix first: {_counted(errors, 'error')} and {_counted(warnings, 'warning')} in {_counted(self.photo_count, 'photo')}."
        if warnings:
            return f"Good enough for a test run: {_counted(warnings, 'warning')} in {_counted(self.photo_count, 'photo')}."
        return f"Ready: {_counted(self.photo_count, 'photo')} without a fault found."


# A finding's number beside the one it was held against, where the finding does not say both itself.
NUMBERS = {
    "resolution": "{value:.2f} times; more than {threshold:.2f} is too much.",
    "crop": "Up to {threshold:.0%} is fine.",
    "near duplicate": "{value:.0f} of 64 marks differ; up to {threshold:.0f} it is the same photo.",
    "same shot": "The faces are {value:.0%} alike; different photos stay below {threshold:.0%}.",
    "verbose caption": "The longest has {value:.0f} words; {threshold:.0f} are the limit.",
    "similar captions": "{value:.0%} of the words are the same; above {threshold:.0%} nothing is learned from the difference.",
    "several people": "The second face has {value:.0%} of the first one's size; from {threshold:.0%} it counts.",
    "small face": "{value:.0f} pixels high; at least {threshold:.0f} are needed.",
    "different person": "Likeness to the other faces {value:.2f}; the same person stays above {threshold:.2f}.",
    "blur": "Blur {value:.0%}; sharp faces stay below {threshold:.0%}.",
    "soft": "Blur {value:.0%}; sharp faces stay below {threshold:.0%}.",
    "fine detail": "Fine detail {value:.0f}; sharp faces have more than {threshold:.0f}.",
    "dark": "Brightness {value:.0f} of 100; beside the other photos {threshold:.0f} is the least.",
    "dark set": "Brightness {value:.0f} of 100; at least {threshold:.0f} is needed.",
    "overexposed": "Pure white or one pure colour; up to {threshold:.0%} is bearable.",
    "tilted": "Up to {threshold:.0f} degrees either way are usual.",
    "framing": "{value:.0f} photos show more than head and shoulders; {threshold:.0f} are wanted.",
}


def number_in_words(finding: Finding) -> str:
    """Empty where there is no number, or the finding says it itself."""
    words = NUMBERS.get(finding.measure or finding.check)
    if words is None or finding.value is None or finding.threshold is None:
        return ""
    return words.format(value=finding.value, threshold=finding.threshold)


def write_report(report: AnalysisReport, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    top = [finding.model_dump(mode="json") for finding in report.top_fixes]
    content = {**report.model_dump(mode="json"), "verdict": report.verdict, "summary": report.summary, "top_fixes": top}
    write_json(file, content)


def read_report(file: Path) -> AnalysisReport | None:
    """None when there is no report, or one of another version."""
    try:
        content = read_json(file)
        return AnalysisReport.model_validate({name: content[name] for name in AnalysisReport.model_fields})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def render_text(report: AnalysisReport) -> str:
    """For a terminal."""
    lines = [f"{report.folder}: {report.summary}", ""]
    if report.top_fixes:
        lines += ["First:", *(f"  {number}. {finding.what} {finding.fix}" for number, finding in enumerate(report.top_fixes, 1)), ""]
    for severity in SEVERITIES:
        for finding in report.of_severity(severity):
            lines.append(f"{severity.upper():8} {finding.what}")
            if finding.photos:
                lines.append(f"         photos: {', '.join(finding.photos)}")
            if number := number_in_words(finding):
                lines.append(f"         {number}")
            lines.append(f"         fix: {finding.fix}")
    if report.coverage.cells:
        lines += ["", "Photos by angle and framing:", *(f"  {count:3}  {cell}" for cell, count in report.coverage.cells.items())]
    lines += ["", f"Buckets at resolution {report.resolution}:"]
    lines += [f"  {row.width:4} x {row.height:<4}  {_counted(len(row.photos), 'photo')}, up to {row.loss:.0%} cut away" for row in report.buckets]
    return "\n".join(lines)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
