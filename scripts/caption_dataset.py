"""Captions a dataset: `python scripts/caption_dataset.py [FOLDER] [--captioner template|qwen|florence] [--which missing|machine|all] [--dry-run]`, as the Dataset tab does."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.at_work import at_work
from core.caption_tasks import caption_here, caption_request, captions_stop
from core.captioning.proposals import Proposal, accept, reject
from core.captioning.request import CAPTION_MODELS, TEMPLATE
from core.dataset.folder import open_dataset
from core.presets import resolve
from core.runs import RunStore
from scripts.console import ProgressLine, exit_code, run_command, stop_on_signals

SHORT_NAMES = {model.name.split("-")[0].rstrip("3"): model.name for model in CAPTION_MODELS}
WHICH_HELP = "missing: photos without a caption; machine: these and captions made here that nobody changed; all: a person's captions too"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", help="the dataset; default DATA_DIR, else data/subject")
    parser.add_argument("--captioner", default=TEMPLATE, help=f"{TEMPLATE} (from what is measured), {', '.join(SHORT_NAMES)}, or a folder with one of these models")
    parser.add_argument("--which", choices=("missing", "machine", "all"), default="missing", help=WHICH_HELP)
    parser.add_argument("--dry-run", action="store_true", help="only show the old captions against the new ones")
    parser.add_argument("--preset", default="fast", help="where trigger word, class word and base model come from")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, such as dataset.class_word=woman")
    arguments = parser.parse_args()

    pairs = [*arguments.set, *([f"dataset.folder={arguments.folder}"] if arguments.folder else [])]
    settings = resolve(arguments.preset, os.environ, pairs).settings
    store = RunStore(Path(settings.run.output))
    request = caption_request(settings, SHORT_NAMES.get(arguments.captioner, arguments.captioner), arguments.which)
    stop_on_signals(captions_stop(store), "Stopping after this photo. Ctrl+C again ends at once.")
    proposals, last = caption_here(request, store, ProgressLine())
    print("\n".join(map(render, proposals)))
    photos = [proposal.photo for proposal in proposals]
    if photos:
        with at_work(store.root, "writing captions"):
            (reject if arguments.dry_run else accept)(open_dataset(Path(request.folder)), photos)
    print("Nothing was written." if arguments.dry_run or not photos else f"{len(photos)} captions written; Undo in the Dataset tab takes them back.")
    return exit_code(last)


def render(proposal: Proposal) -> str:
    return f"{proposal.photo}\n  old: {proposal.before or '(none)'}\n  new: {proposal.after}"


if __name__ == "__main__":
    sys.exit(run_command(main))
