"""How often the analyzer finds what is wrong, and how often it cries wolf: `python benchmarks/analyzer_truth.py` prints a table for docs/experiments.md.

Faults are planted one at a time in clean sets of drawn people and of public-domain photographs. Thresholds were not chosen on these sets.
`--write FOLDER` writes a good and a bad dataset to look at instead.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.analyzer.report import Finding
from tests.core.planted import CleanSet, Fault, false_alarms_of, judge
from tests.core.planted_captions import HARD_INNOCENT, INNOCENT, caption_faults, say
from tests.core.planted_drawings import drawn_faults, drawn_set, identity_of
from tests.core.planted_files import file_faults, odd_kinds, plain_files
from tests.core.planted_photos import HARMLESS, PEOPLE, people_set, photo_faults, view_faults, views_set

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE_PERSON, EXAMPLE_SIZE, EXAMPLE_NAME = 1, 640, "macron"
BAD_DRAWINGS = ("another person", "a mirrored copy", "90 pixels wide", "no caption", "the trigger word in capitals", "90 words", "the same caption", "Windows-1252", "two colours of hair", "a caption of no photo")
BAD_PHOTOS = {"view-1": "blur of 1/100 of the height", "view-2": "two stops too bright", "view-4": "a quarter turn left", "view-5": "300 pixels wide", "view-6": "two people side by side", "view-0": "nobody on it"}


@dataclass
class Tally:
    """By kind of set and check."""

    planted: dict[tuple[str, str], dict[str, list[bool]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    on_clean: Counter[tuple[str, str]] = field(default_factory=Counter)
    on_spoiled: Counter[tuple[str, str]] = field(default_factory=Counter)
    clean_sets: Counter[str] = field(default_factory=Counter)
    spoiled_sets: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def clean(self, clean: CleanSet, work: Path, words: str, usual: Sequence[Finding] = ()) -> tuple[Finding, ...]:
        alarms = tuple(finding for finding in false_alarms_of(clean, work) if finding not in usual)
        self.clean_sets[clean.kind] += 1
        self.on_clean.update((clean.kind, finding.check) for finding in alarms)
        self.notes += [f"{clean.kind}, {words}: {finding.check}" for finding in alarms]
        return alarms

    def fault(self, clean: CleanSet, fault: Fault, work: Path, usual: Sequence[Finding]) -> None:
        outcome = judge(clean, fault, work, usual)
        self.spoiled_sets[clean.kind] += 1
        self.planted[clean.kind, fault.checks[0]][fault.name].append(outcome.is_found)
        self.on_spoiled.update((clean.kind, finding.check) for finding in outcome.false_alarms)
        self.notes += [f"{clean.kind}, {fault.name}: {finding.check}" for finding in outcome.false_alarms]

    def table(self) -> str:
        rows = sorted({*self.planted, *self.on_clean, *self.on_spoiled})
        sets = [f"{kind}: {count} clean and {self.spoiled_sets[kind]} spoiled sets" for kind, count in self.clean_sets.items()]
        alarms = [f"- {count} x {note}" for note, count in Counter(self.notes).most_common()]
        head = ["| set | check | planted | found | false alarms, clean sets | false alarms, other faults | recall | precision | missed |", "|---|---|---|---|---|---|---|---|---|"]
        return "\n".join([*head, *(self._row(*row) for row in rows), "", "; ".join(sets) + ".", "", "False alarms:", *alarms])

    def _row(self, kind: str, check: str) -> str:
        faults = self.planted.get((kind, check), {})
        answers = [answer for each in faults.values() for answer in each]
        found, alarms = sum(answers), self.on_clean[kind, check] + self.on_spoiled[kind, check]
        missed = ", ".join(f"{name}: {len(each) - sum(each)} of {len(each)}" for name, each in faults.items() if not all(each))
        recall, precision = (f"{part / whole:.0%}" if whole else "-" for part, whole in ((found, len(answers)), (found, found + alarms)))
        return f"| {kind} | {check} | {len(answers)} | {found} | {self.on_clean[kind, check]} | {self.on_spoiled[kind, check]} | {recall} | {precision} | {missed} |"


def tally_drawings(tally: Tally, people: int, work: Path) -> None:
    for person in range(people):
        clean = drawn_set(work / f"drawn-{person}", person)
        usual = tally.clean(clean, work, "as drawn")
        for fault in (*drawn_faults(person), *caption_faults(identity_of(person).gender)):
            tally.fault(clean, fault, work, usual)
        say(clean.folder, (*INNOCENT, *HARD_INNOCENT))
        tally.clean(clean, work, "innocent captions", usual)


def tally_photos(tally: Tally, work: Path) -> None:
    clean = people_set(work / "people")
    usual = false_alarms_of(clean, work)
    for number, (words, edit) in enumerate(HARMLESS.items()):
        tally.clean(people_set(work / f"harmless-{number}", edit, 80 + 2 * number), work, words)
    for name, other in zip(PEOPLE, (*PEOPLE[1:], PEOPLE[0]), strict=True):
        for words, plant in plain_files(name):
            folder = work / "odd"
            shutil.rmtree(folder, ignore_errors=True)
            plant(people_set(folder).folder)
            tally.clean(CleanSet(clean.kind, folder, clean.dataset, clean.true_of), work, words)
        for fault in (*photo_faults(name, other), *file_faults(name), *odd_kinds(name)):
            tally.fault(clean, fault, work, usual)
        views = views_set(work / name, name)
        usual_of_views = tally.clean(views, work, f"views of {name}")
        for fault in view_faults(name):
            tally.fault(views, fault, work, usual_of_views)


def write_examples(folder: Path) -> None:
    """A good set, a bad one, and photographs with faults; large enough for the default resolution."""
    drawn_set(folder / "good", EXAMPLE_PERSON, EXAMPLE_SIZE)
    bad = drawn_set(folder / "bad", EXAMPLE_PERSON, EXAMPLE_SIZE).folder
    drawn = (*drawn_faults(EXAMPLE_PERSON), *caption_faults(identity_of(EXAMPLE_PERSON).gender))
    spoil(bad, drawn, BAD_DRAWINGS)
    photographs = views_set(folder / "bad-photographs", EXAMPLE_NAME).folder
    for name, words in BAD_PHOTOS.items():
        spoil(photographs, photo_faults(name, "view-7"), (words,))
    spoil(photographs, view_faults(EXAMPLE_NAME), ("another person", "two stops too dark"))


def spoil(folder: Path, faults: Sequence[Fault], names: Sequence[str]) -> None:
    """The first fault of each name."""
    for name in names:
        next(fault for fault in faults if fault.name == name).plant(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=12, help="drawn people")
    parser.add_argument("--write", type=Path, help="write examples into this new folder, and measure nothing")
    arguments = parser.parse_args()
    write_to = arguments.write and arguments.write.resolve()
    os.chdir(ROOT)
    if write_to:
        write_examples(write_to)
        return
    tally = Tally()
    with tempfile.TemporaryDirectory() as name:
        tally_drawings(tally, arguments.people, Path(name))
        tally_photos(tally, Path(name))
    print(tally.table())


if __name__ == "__main__":
    main()
