"""Which captions were written here and not by a person: remembered by their content, so that a caption somebody changed counts as theirs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from core.dataset.captions import caption_bytes
from core.dataset.edits import counted
from core.dataset.folder import Dataset, sample_named
from core.dataset.history import change
from core.dataset.names import studio_folder
from core.durable import read_json


def machine_file(folder: Path) -> Path:
    """Names of photos with the hash of the caption that was written here."""
    return studio_folder(folder) / "machine-captions.json"


def machine_written(dataset: Dataset) -> frozenset[str]:
    """Photos whose caption reads as it was written here."""
    known = _known(dataset.folder)
    return frozenset(sample.name for sample in (*dataset.samples, *dataset.excluded) if sample.caption and known.get(sample.name) == _hash(sample.caption.text))


def write_machine_captions(dataset: Dataset, captions: Mapping[str, str]) -> None:
    """Write captions by photo name and remember them as written here, as one change that can be undone. Raises UserError; then nothing was written."""
    contents: dict[Path, bytes | None] = {sample_named(dataset, name).caption_file: caption_bytes(text) for name, text in captions.items()}
    known = _known(dataset.folder) | {name: _hash(text) for name, text in captions.items()}
    contents[machine_file(dataset.folder)] = (json.dumps(known, ensure_ascii=False, indent=0, sort_keys=True) + "\n").encode()
    change(dataset.folder, f"caption {counted(list(captions))}", contents)


def _known(folder: Path) -> dict[str, str]:
    """Nothing when the record is damaged: then every caption counts as a person's, and none is overwritten unasked."""
    try:
        known = read_json(machine_file(folder))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _hash(text: str) -> str:
    return hashlib.sha256(caption_bytes(text)).hexdigest()
