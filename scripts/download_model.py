"""Downloads FLUX.1-dev: `python scripts/download_model.py [MODEL_PATH]`, a hub id, or a single transformer file whose other parts are fetched; or a caption model."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from huggingface_hub import constants
from huggingface_hub.utils import disable_progress_bars
from tqdm import tqdm

from core.captioning.model_place import LAST_FILE
from core.captioning.request import model_named
from core.errors import Refused, UserError
from core.flux.download import Forecast, Hub, download, forecast, forecast_flat, gib
from core.flux.model_folder import FLUX_DEV, is_hub_id, open_model_folder
from core.flux.single_file import require_flux_dev_file
from scripts.console import DONE, FAILED, run_command


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default=os.environ.get("MODEL_PATH") or FLUX_DEV, help=f"hub id or single transformer file (MODEL_PATH, else {FLUX_DEV})")
    model = Path(parser.parse_args().model)
    hub = Hub(Path(constants.HF_HUB_CACHE), constants.ENDPOINT, os.environ.get("HF_TOKEN") or None)
    captioner = model_named(str(model))
    if captioner:
        return _show_and_fetch(forecast_flat(captioner.hub_id, hub, LAST_FILE), hub, lambda: f"--captioner {captioner.name}")
    if model.is_dir():
        open_model_folder(model)
        print(f"{model} is a complete FLUX.1; nothing to download.")
        return DONE
    if model.is_file():
        require_flux_dev_file(model)
    elif not is_hub_id(str(model)):
        raise Refused("This is neither a hub id nor a file that is there.", str(model), f"Name a hub id, such as {FLUX_DEV}.")
    plan = forecast(FLUX_DEV if model.is_file() else str(model), hub, with_transformer=not model.is_file())

    def use() -> str:
        open_model_folder(model)
        return f"MODEL_PATH={model}"

    return _show_and_fetch(plan, hub, use)


def render(plan: Forecast, hub: Hub) -> str:
    """The forecast in words."""
    lines = [f"{plan.hub_id} into {hub.cache}"]
    lines += [f"  {part:16}{gib(size):>6} GiB" for part, size in plan.parts.items() if size >= 2**20]
    return "\n".join([*lines, f"  to download     {gib(plan.missing):>6} GiB of {gib(plan.total)} GiB; the disk has {gib(plan.free)} GiB left"])


def is_dry_run() -> bool:
    return os.environ.get("DRY_RUN", "0") not in ("", "0")


def _show_and_fetch(plan: Forecast, hub: Hub, use: Callable[[], str]) -> int:
    """`use` says what to do with it once it is here, and checks that it is."""
    print(render(plan, hub))
    if is_dry_run():
        return DONE
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
    print(f"Ready: {use()}")
    return DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
