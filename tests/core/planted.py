"""One fault at a time in a clean dataset, what the analyzer must say of it, and what it may not say."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from core.analyzer.analyze import analyze
from core.analyzer.report import AnalysisReport, Finding, read_report
from core.dataset.captions import write_caption
from core.settings import POCKET_FLUX, Settings

Picture = Image.Image
# A photo alone in its shape is a fault for batches of several only.
BATCH_SIZE = 4
Edit = Callable[[Picture], Picture]


@dataclass(frozen=True)
class CleanSet:
    """A folder without a fault, its settings, and the checks that rightly speak of it all the same."""

    kind: str
    folder: Path
    dataset: dict[str, object] = field(default_factory=dict)
    true_of: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Fault:
    """`plant` spoils one thing in a folder and returns the names a finding must carry, none where it is of the whole set.

    Any of `checks` may find it; `brings` rightly speak too. `dataset` are settings to lay over the set's. A fault that `is_hard` is measured, not demanded.
    """

    name: str
    checks: tuple[str, ...]
    plant: Callable[[Path], Collection[str]]
    brings: frozenset[str] = frozenset()
    dataset: dict[str, object] = field(default_factory=dict)
    is_hard: bool = False


@dataclass(frozen=True)
class Outcome:
    """`false_alarms` are findings of what nobody planted."""

    is_found: bool
    false_alarms: tuple[Finding, ...]


def report_of(clean: CleanSet, folder: Path, work: Path, dataset: dict[str, object] | None = None) -> AnalysisReport:
    """As the Analyzer tab makes it; measures are kept in `work`."""
    settings = Settings(dataset={"folder": str(folder), **clean.dataset, **(dataset or {})}, model={"path": POCKET_FLUX}, train={"batch_size": BATCH_SIZE})
    for _ in analyze(settings, work / "report.json", "report.json", work / "measures"):
        pass
    report = read_report(work / "report.json")
    assert report is not None
    return report


def false_alarms_of(clean: CleanSet, work: Path) -> tuple[Finding, ...]:
    return tuple(finding for finding in report_of(clean, clean.folder, work).findings if finding.check not in clean.true_of)


def judge(clean: CleanSet, fault: Fault, work: Path, usual: Collection[Finding] = ()) -> Outcome:
    """In a copy of the set; `usual` are the false alarms of the clean set, which are counted there.

    A finding of the right check is a false alarm too when it names a photo that is innocent.
    """
    folder = work / "planted"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(clean.folder, folder)
    guilty = set(fault.plant(folder))
    known = {(finding.check, finding.photos) for finding in usual}
    findings = [finding for finding in report_of(clean, folder, work, fault.dataset).findings if (finding.check, finding.photos) not in known]
    named = [set(finding.photos) for finding in findings if finding.check in fault.checks]
    is_found = bool(named) and guilty <= set().union(*named)
    return Outcome(is_found, tuple(finding for finding in findings if _is_false(finding, fault, guilty, clean)))


def picture_of(folder: Path, name: str) -> Path:
    (file,) = (file for file in folder.glob(f"{name}.*") if file.suffix != ".txt")
    return file


def opened(file: Path) -> Picture:
    return Image.open(file).convert("RGB")


def changed(name: str, edit: Edit) -> Callable[[Path], Collection[str]]:
    """Plants the edited picture in the place of the clean one."""

    def plant(folder: Path) -> Collection[str]:
        file = picture_of(folder, name)
        edit(opened(file)).save(file, quality=95)
        return {name}

    return plant


def copied(name: str, edit: Edit, suffix: str = "", **how: object) -> Callable[[Path], Collection[str]]:
    """Plants an edited copy beside the clean picture, with a caption of its own; both are guilty."""

    def plant(folder: Path) -> Collection[str]:
        file = picture_of(folder, name)
        edit(opened(file)).save(folder / f"copy{suffix or file.suffix}", **({"quality": 95} | how))
        write_caption(folder / "copy.txt", "ohwx, sitting on a stone stair beside an empty fountain")
        return {name, "copy"}

    return plant


def _is_false(finding: Finding, fault: Fault, guilty: set[str], clean: CleanSet) -> bool:
    if finding.check in fault.checks:
        return bool(guilty) and not set(finding.photos) <= guilty
    return finding.check not in clean.true_of | fault.brings
