"""A run as one ZIP, made while it is sent: LoRA, settings, log, note and samples; checkpoints and photos only when asked for."""

from __future__ import annotations

import contextlib
import io
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from core.dataset.folder import open_dataset
from core.runs import Run

PIECE = 1 << 20
# Already dense; packing them again costs minutes and saves nothing.
STORED = frozenset({".safetensors", ".webp", ".png", ".jpg", ".jpeg", ".zip"})
OF_A_RUN = ("run.json", "events.jsonl", "note.txt")


def members(run: Run, with_checkpoints: bool, with_photos: bool) -> dict[str, Path]:
    """Name in the archive -> file: from fixed names and listings, never a link."""
    found = {file.name: file for file in (run.lora_file, run.transformer_only_file)}
    found |= {f"run/{name}": run.folder / name for name in OF_A_RUN}
    found |= {f"samples/{file.name}": file for file in _files(run.samples_folder)}
    if with_checkpoints:
        found |= {f"run/checkpoints/{folder.name}/{file.name}": file for _, folder in run.checkpoints() for file in _files(folder)}
    if with_photos:
        for sample in open_dataset(Path(run.settings.dataset.folder)).samples:
            found[f"photos/{sample.image.name}"] = sample.image
            found[f"photos/{sample.caption_file.name}"] = sample.caption_file
    return {f"{run.name}/{name}": file for name, file in found.items() if file.is_file() and not file.is_symlink()}


def stream(files: dict[str, Path]) -> Iterator[bytes]:
    """The archive piece by piece: it is never whole in memory nor on the disk. A file that vanished meanwhile is left out."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", allowZip64=True) as archive:
        for name, file in files.items():
            with contextlib.suppress(FileNotFoundError), open(file, "rb") as opened, archive.open(_entry(name, file), "w", force_zip64=True) as packed:
                while piece := opened.read(PIECE):
                    packed.write(piece)
                    yield sink.taken()
            yield sink.taken()
    yield sink.taken()


def _entry(name: str, file: Path) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, time.localtime(max(file.stat().st_mtime, 315_532_800))[:6])  # ZIP knows no year before 1980
    entry.compress_type = zipfile.ZIP_STORED if file.suffix.lower() in STORED else zipfile.ZIP_DEFLATED
    return entry


def _files(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith(".")) if folder.is_dir() and not folder.is_symlink() else []


class _Sink(io.RawIOBase):
    """Where zipfile writes: it gives away what came in, and cannot go back."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece) -> int:  # type: ignore[override]
        self._pieces.append(bytes(piece))
        return len(piece)

    def taken(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
