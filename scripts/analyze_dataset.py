"""Analyzes a dataset: `python scripts/analyze_dataset.py [--json FILE] [--html FILE]`; the same report as the Analyzer tab."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.analysis_tasks import analyze, report_file
from core.analyzer.report import read_report, render_text
from core.analyzer.report_html import report_page
from core.dataset.folder import open_dataset
from core.events import Phase
from core.presets import resolve
from core.runs import RunStore
from scripts.console import DONE, run_command


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="fast", help="its resolution and buckets are what photos are measured against")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, such as dataset.folder=data/anna")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there as JSON as well")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report there as one HTML file with its pictures")
    arguments = parser.parse_args()

    settings = resolve(arguments.preset, os.environ, arguments.set).settings
    store = RunStore(Path(settings.run.output))
    with tqdm(desc="Reading photos", unit="photo") as bar:
        for event in analyze(settings, store):
            if isinstance(event, Phase) and event.total:
                bar.total = event.total
                bar.update(event.done + 1 - bar.n)
    file = report_file(settings.dataset.folder, store)
    report = read_report(file)
    assert report is not None
    print(render_text(report))
    if arguments.json:
        arguments.json.write_bytes(file.read_bytes())
    if arguments.html:
        arguments.html.write_text(report_page(report, open_dataset(Path(settings.dataset.folder))), encoding="utf-8")
    return DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
