"""Draws class photos for regularization: `python scripts/class_photos.py [--count 40]`, then train with USE_REG=1 REG_DIR=data/subject-class."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.class_photo_tasks import draw_class_photos_here
from core.presets import preset_names, resolve
from core.runs import RunStore
from scripts.console import ProgressLine, exit_code, run_command, stop_on_signals


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="fast", help=f"where model, dataset and size come from: {', '.join(preset_names())}")
    parser.add_argument("--count", type=int, default=40, help="how many photos there shall be in the end")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, such as dataset.class_word=woman")
    arguments = parser.parse_args()
    settings = resolve(arguments.preset, os.environ, arguments.set).settings
    store = RunStore(Path(settings.run.output))
    stop_on_signals(store.stop_request())
    return exit_code(draw_class_photos_here(settings, arguments.count, store, ProgressLine()))


if __name__ == "__main__":
    sys.exit(run_command(main))
