"""Says what is wrong with a run, by which numbers, and what to change: `python scripts/doctor.py RUN`; the same as the page's doctor."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.doctor.diagnose import render_text
from core.presets import resolve
from core.runs import RunStore
from core.tasks import diagnoses_of
from scripts.console import DONE, run_command


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="name of a run")
    arguments = parser.parse_args()
    store = RunStore(Path(resolve("fast", os.environ).settings.run.output))
    print(render_text(diagnoses_of(store.load(arguments.run), store)))
    return DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
