"""Downloads a FLUX.1-dev from the hub: `HF_TOKEN=... python scripts/download_model.py [HUB_ID]`. Says first what it takes; goes on where it was broken off."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.events import Phase, RunFinished
from core.flux.download import download, forecast_download
from core.flux.model_folder import FLUX_DEV
from scripts.console import DONE, FAILED, run_command


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hub_id", nargs="?", default=FLUX_DEV)
    parser.add_argument("--without-transformer", action="store_true", help="only the other parts, for a single transformer file you have already")
    parser.add_argument("--dry-run", action="store_true", help="only say what it takes")
    arguments = parser.parse_args()
    forecast = forecast_download(arguments.hub_id, not arguments.without_transformer)
    print(f"{forecast.hub_id}: {len(forecast.files)} files, {forecast.total / 1e9:.1f} GB, {forecast.missing / 1e9:.1f} GB still to come; {forecast.free / 1e9:.1f} GB free on the disk")
    if arguments.dry_run:
        return DONE
    asked = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: asked.set())
    last = None
    for last in download(forecast, asked.is_set):
        if isinstance(last, Phase):
            print(f"\r{last.done} of {last.total} MB", end="", flush=True)
    print()
    if not isinstance(last, RunFinished):
        print("Stopped. The same command goes on from here.")
        return FAILED
    print(f"Ready: MODEL_PATH={forecast.hub_id}")
    return DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
