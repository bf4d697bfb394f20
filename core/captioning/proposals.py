"""Proposals: captions that were thought of and not written yet, kept beside the photos until somebody accepts or rejects them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from core.captioning.machine import write_machine_captions
from core.dataset.folder import Dataset, natural
from core.dataset.names import studio_folder
from core.durable import storage_error, write_atomic
from core.errors import Refused


class Proposal(BaseModel):
    """The caption of a photo as it was, empty when there was none, and as it would be; `by` is who wrote it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    photo: str
    before: str
    after: str
    by: str


def propose(folder: Path, proposal: Proposal) -> None:
    """Keep it in place of an earlier one for the same photo. Each has a file of its own, so that accepting one disturbs nobody who writes the next."""
    file = _file(folder, proposal.photo)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, proposal.model_dump_json().encode())
    except OSError as error:
        raise storage_error(error, file.parent) from None


def proposals_of(dataset: Dataset) -> list[Proposal]:
    """Those whose photo is there and whose caption still reads as it did; what is damaged or overtaken is left out."""
    texts = _texts(dataset)
    read = [_read(file) for file in _proposals_folder(dataset.folder).glob("*.json")]
    open_ones = [proposal for proposal in read if proposal and texts.get(proposal.photo) == proposal.before]
    return sorted(open_ones, key=lambda proposal: natural(proposal.photo))


def accept(dataset: Dataset, photos: Sequence[str]) -> list[Proposal]:
    """Write these proposals as one change that can be undone. Raises Refused when one of them is gone, or its caption was changed since."""
    wanted = _wanted(dataset, photos)
    write_machine_captions(dataset, {proposal.photo: proposal.after for proposal in wanted})
    _forget(dataset.folder, photos)
    return wanted


def reject(dataset: Dataset, photos: Sequence[str]) -> None:
    """Throw these proposals away; the captions stay as they are. Raises Refused when one of them is gone."""
    _wanted(dataset, photos)
    _forget(dataset.folder, photos)


def drop_proposals(folder: Path, photos: Sequence[str]) -> None:
    """Before these photos are captioned anew; those of others wait on."""
    _forget(folder, photos)


def _wanted(dataset: Dataset, photos: Sequence[str]) -> list[Proposal]:
    known = {proposal.photo: proposal for proposal in proposals_of(dataset)}
    gone = [name for name in photos if name not in known]
    if gone or not photos:
        raise Refused("That proposal is no longer there: the caption was changed or the photo removed since.", ", ".join(gone)[:200], "Caption the photos again.")
    return [known[name] for name in dict.fromkeys(photos)]


def _forget(folder: Path, photos: Sequence[str]) -> None:
    for name in photos:
        _file(folder, name).unlink(missing_ok=True)


def _texts(dataset: Dataset) -> dict[str, str]:
    return {sample.name: sample.caption.text if sample.caption else "" for sample in (*dataset.samples, *dataset.excluded)}


def _proposals_folder(folder: Path) -> Path:
    return studio_folder(folder) / "proposals"


def _file(folder: Path, photo: str) -> Path:
    """By a hash, because a name from elsewhere never becomes a path."""
    return _proposals_folder(folder) / f"{hashlib.sha256(photo.encode()).hexdigest()[:32]}.json"


def _read(file: Path) -> Proposal | None:
    try:
        return Proposal.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None
