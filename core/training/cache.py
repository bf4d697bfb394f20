"""Latents and embeddings on disk, keyed by content: a second run on the same photos encodes nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from core.durable import write_atomic

Entry = dict[str, Tensor]


class Cache:
    """A folder of small safetensors files. A damaged file counts as missing and is written anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, key: str, entry: Entry) -> Entry:
        """Write an entry and return it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self._file(key), safetensors.torch.save({name: tensor.contiguous() for name, tensor in entry.items()}))
        return entry

    def get(self, key: str) -> Entry | None:
        file = self._file(key)
        if not file.is_file():
            return None
        try:
            return safetensors.torch.load(file.read_bytes())
        except (OSError, safetensors.SafetensorError):
            return None

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"


def cache_key(*parts: object) -> str:
    """A file name for what went into an entry: same parts, same key."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:32]
