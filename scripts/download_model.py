"""Downloads FLUX.1-dev: `python scripts/download_model.py [MODEL_PATH]`, a hub id, or a single transformer file whose other parts are fetched."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from huggingface_hub import constants
from huggingface_hub.utils import disable_progress_bars
from tqdm import tqdm

from core.errors import Refused, UserError
from core.flux.download import Forecast, Hub, download, forecast, gib
from core.flux.model_folder import FLUX_DEV, is_hub_id, open_model_folder
from core.flux.single_file import require_flux_dev_file
from scripts.console import DONE, FAILED, run_command


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default=os.environ.get("MODEL_PATH") or FLUX_DEV, help=f"hub id or single transformer file (MODEL_PATH, else {FLUX_DEV})")
    model = Path(parser.parse_args().model)
    if model.is_dir():
        open_model_folder(model)
        print(f"{model} is a complete FLUX.1; nothing to download.")
        return DONE
    if model.is_file():
        require_flux_dev_file(model)
    elif not is_hub_id(str(model)):
        raise Refused("This is neither a hub id nor a file that is there.", str(model), f"Name a hub id, such as {FLUX_DEV}.")
    hub = Hub(Path(constants.HF_HUB_CACHE), constants.ENDPOINT, os.environ.get("HF_TOKEN") or None)
    plan = forecast(FLUX_DEV if model.is_file() else str(model), hub, with_transformer=not model.is_file())
    print(render(plan, hub))
    if os.environ.get("DRY_RUN", "0") not in ("", "0"):
        return DONE
    return _fetch(plan, hub, model)


def render(plan: Forecast, hub: Hub) -> str:
    """The forecast in words."""
    lines = [f"{plan.hub_id} into {hub.cache}"]
    lines += [f"  {part:16}{gib(size):>6} GiB" for part, size in plan.parts.items() if size >= 2**20]
    return "\n".join([*lines, f"  to download     {gib(plan.missing):>6} GiB of {gib(plan.total)} GiB; the disk has {gib(plan.free)} GiB left"])


def _fetch(plan: Forecast, hub: Hub, model: Path) -> int:
    disable_progress_bars()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with tqdm(total=plan.total // 2**20, unit="MiB", mininterval=0.5, dynamic_ncols=True) as bar:
            for event in download(plan, hub, stop.is_set):
                bar.set_description(event.what.removesuffix(" (MiB)"), refresh=False)
                bar.update(event.done - bar.n)
    except Refused:
        raise
    except UserError as error:
        print(f"Not finished: {error}", file=sys.stderr)
        return FAILED
    open_model_folder(model)
    print(f"Ready: MODEL_PATH={model}")
    return DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
