"""How often the analyzer finds what is wrong, and how often it cries wolf: `python benchmarks/analyzer_truth.py` prints tables for docs/experiments.md.

Faults are planted one at a time in clean sets of drawn people and of public-domain photographs. Thresholds were not chosen on these sets.
It goes on where it was broken off; `--seconds` breaks it off by itself. `--write FOLDER` writes a good and a bad dataset to look at instead.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.analyzer.report import Finding
from core.durable import append_line
from tests.core.planted import CleanSet, Fault, false_alarms_of, judge
from tests.core.planted_captions import HARD_INNOCENT, INNOCENT, caption_faults, say
from tests.core.planted_drawings import drawn_faults, drawn_set, identity_of
from tests.core.planted_files import file_faults, odd_kinds, plain_files
from tests.core.planted_photos import HARMLESS, PEOPLE, lit_faults, lit_set, people_set, photo_faults, view_faults, views_set

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE_PERSON, EXAMPLE_SIZE, EXAMPLE_NAME = 1, 640, "macron"
BAD_DRAWINGS = ("another person", "a mirrored copy", "90 pixels wide", "no caption", "the trigger word in capitals", "90 words", "the same caption", "Windows-1252", "two colours of hair", "a caption of no photo")
BAD_PHOTOS = {"view-1": "blur of 1/100 of the height", "view-2": "two stops too bright", "view-4": "a quarter turn left", "view-5": "300 pixels wide", "view-6": "two people side by side", "view-0": "nobody on it"}
# One set that was analyzed: its kind, what was done to it, whether the fault was found (None for a clean set), and the false alarms by check.
Record = dict[str, object]
Part = Callable[[Path], Iterator[Record]]


def parts(people: int) -> dict[str, Part]:
    drawn: dict[str, Part] = {f"drawn-{person}": lambda work, person=person: drawings(person, work) for person in range(people)}
    photos: dict[str, Part] = {f"photos-{name}": lambda work, name=name, other=other: photographs(name, other, work) for name, other in zip(PEOPLE, (*PEOPLE[1:], PEOPLE[0]), strict=True)}
    return drawn | {"harmless": harmless} | photos


def drawings(person: int, work: Path) -> Iterator[Record]:
    clean = drawn_set(work / "drawn", person)
    usual = false_alarms_of(clean, work)
    yield clean_record(clean, "as drawn", usual)
    yield from spoiled(clean, (*drawn_faults(person), *caption_faults(identity_of(person).gender)), work, usual)
    say(clean.folder, (*INNOCENT, *HARD_INNOCENT))
    yield clean_record(clean, "innocent captions", [alarm for alarm in false_alarms_of(clean, work) if alarm not in usual])


def harmless(work: Path) -> Iterator[Record]:
    for number, (words, edit) in enumerate(HARMLESS.items()):
        clean = people_set(work / f"harmless-{number}", edit, 80 + 2 * number)
        yield clean_record(clean, words, false_alarms_of(clean, work))


def photographs(name: str, other: str, work: Path) -> Iterator[Record]:
    clean = people_set(work / "people")
    usual = false_alarms_of(clean, work)
    for words, plant in plain_files(name):
        folder = work / "plain"
        shutil.rmtree(folder, ignore_errors=True)
        plant(people_set(folder).folder)
        plain = CleanSet(clean.kind, folder, clean.dataset, clean.true_of)
        yield clean_record(plain, words, [alarm for alarm in false_alarms_of(plain, work) if alarm not in usual])
    yield from spoiled(clean, (*photo_faults(name, other), *file_faults(name), *odd_kinds(name)), work, usual)
    for one_person, faults, words in ((views_set(work / "views", name), view_faults(name), "views"), (lit_set(work / "lit", name), lit_faults(name), "lights")):
        usual_of_one = false_alarms_of(one_person, work)
        yield clean_record(one_person, f"{words} of {name}", usual_of_one)
        yield from spoiled(one_person, faults, work, usual_of_one)


def spoiled(clean: CleanSet, faults: Iterable[Fault], work: Path, usual: Sequence[Finding]) -> Iterator[Record]:
    for fault in faults:
        outcome = judge(clean, fault, work, usual)
        yield {"kind": clean.kind, "words": fault.name, "check": fault.checks[0], "is_found": outcome.is_found, "alarms": [alarm.check for alarm in outcome.false_alarms]}


def clean_record(clean: CleanSet, words: str, alarms: Sequence[Finding]) -> Record:
    return {"kind": clean.kind, "words": words, "check": None, "is_found": None, "alarms": [alarm.check for alarm in alarms]}


def tables(records: Sequence[Record]) -> str:
    """A row per kind of set and check, then every false alarm."""
    planted: dict[tuple[str, str], dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    alarms: dict[bool, Counter[tuple[str, str]]] = {True: Counter(), False: Counter()}
    sets: dict[str, Counter[bool]] = defaultdict(Counter)
    for record in records:
        is_clean = record["check"] is None
        sets[record["kind"]][is_clean] += 1
        alarms[is_clean].update((record["kind"], check) for check in record["alarms"])
        if not is_clean:
            planted[record["kind"], record["check"]][record["words"]].append(record["is_found"])
    head = ["| set | check | planted | found | false alarms, clean sets | false alarms, other faults | recall | precision | missed |", "|---|---|---|---|---|---|---|---|---|"]
    rows = [_row(*row, planted.get(row, {}), alarms[True][row], alarms[False][row]) for row in sorted({*planted, *alarms[True], *alarms[False]})]
    counted = "; ".join(f"{kind}: {count[True]} clean and {count[False]} spoiled sets" for kind, count in sets.items())
    notes = Counter(f"{record['kind']}, {record['words']}: {check}" for record in records for check in record["alarms"])
    return "\n".join([*head, *rows, "", f"{counted}.", "", "False alarms:", *(f"- {count} x {note}" for note, count in notes.most_common())])


def _row(kind: str, check: str, faults: dict[str, list[bool]], on_clean: int, on_spoiled: int) -> str:
    answers = [answer for each in faults.values() for answer in each]
    found = sum(answers)
    missed = ", ".join(f"{name}: {len(each) - sum(each)} of {len(each)}" for name, each in faults.items() if not all(each))
    recall, precision = (f"{part / whole:.0%}" if whole else "-" for part, whole in ((found, len(answers)), (found, found + on_clean + on_spoiled)))
    return f"| {kind} | {check} | {len(answers)} | {found} | {on_clean} | {on_spoiled} | {recall} | {precision} | {missed} |"


def measure(people: int, kept: Path, seconds: float) -> bool:
    """Each part that is not in the folder `kept` yet, whole or not at all; whether all are there."""
    began = time.monotonic()
    kept.mkdir(parents=True, exist_ok=True)
    for name, part in parts(people).items():
        file = kept / f"{name}.jsonl"
        if file.exists():
            continue
        if time.monotonic() - began > seconds:
            return False
        half = kept / f".{name}.half"
        half.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as work:
            for record in part(Path(work)):
                append_line(half, record)
        half.rename(file)
    return True


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
    parser.add_argument("--kept", type=Path, default=Path("data/cache/analyzer-truth"), help="where what was measured is kept; remove it after a change")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further part after so many")
    parser.add_argument("--write", type=Path, help="write examples into this new folder, and measure nothing")
    arguments = parser.parse_args()
    write_to = arguments.write and arguments.write.resolve()
    os.chdir(ROOT)
    if write_to:
        write_examples(write_to)
        return
    if not measure(arguments.people, arguments.kept, arguments.seconds):
        print("Not all of it is measured yet; run it again.")
        return
    print(tables([json.loads(line) for name in parts(arguments.people) for line in (arguments.kept / f"{name}.jsonl").read_text().splitlines()]))


if __name__ == "__main__":
    main()
