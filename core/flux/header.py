"""What the header of a .safetensors file says: names, dtypes, shapes, metadata, and whether the file is all there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.durable import parse_json, read_json
from core.errors import UserError

LARGEST_HEADER = 100_000_000
COPY_AGAIN = "Copy or download the model again."


def read_safetensors_header(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Names with dtypes and shapes, and the metadata. Raises UserError for anything that is no safetensors file."""
    try:
        with open(file, "rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if not 2 <= length <= min(LARGEST_HEADER, file.stat().st_size - 8):
                raise ValueError("its header length cannot be true")
            header = parse_json(opened.read(length))
        metadata = header.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(map(_is_weight, header.values())):
            raise ValueError("its header is no list of weights")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UserError(f"This is not a safetensors file: {error}", str(file), "Only .safetensors files are loaded, never pickles or GGUF.") from None
    return header, metadata


def require_whole(file: Path) -> None:
    """Raises UserError when the file is a Git LFS pointer or ends before its last weight (a copy or download that broke off)."""
    if not file.exists():
        raise UserError(f"The weights {file.name} are not there.", str(file.parent), COPY_AGAIN)
    if _first_bytes(file).startswith(b"version https://git-lfs"):
        raise UserError(f"{file.name} is a Git LFS pointer, not the weights themselves.", str(file), "Run git lfs pull in that folder, or download the model again.")
    header, _ = read_safetensors_header(file)
    with open(file, "rb") as opened:
        begin = 8 + int.from_bytes(opened.read(8), "little")
    expected = begin + max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if file.stat().st_size < expected:
        raise UserError(f"{file.name} is cut short: {file.stat().st_size} of {expected} bytes.", str(file), COPY_AGAIN)


def weight_files(folder: Path) -> list[Path]:
    """The .safetensors files of one part in diffusers layout: those its index names, else all that lie there. Raises UserError for an index that is none."""
    index = next(iter(sorted(folder.glob("*model.safetensors.index.json"))), None)
    if index is None:
        return sorted(folder.glob("*.safetensors"))
    try:
        shards = read_json(index)["weight_map"].values()
        return sorted({folder / Path(shard).name for shard in shards})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"The index of the shards cannot be read: {error}", str(index), COPY_AGAIN) from None


def _is_weight(entry: Any) -> bool:
    """A dtype, a shape, and where its bytes begin and end, as the format has it: whoever reads on may rely on these."""
    return isinstance(entry, dict) and isinstance(entry.get("dtype"), str) and _are_counts(entry.get("shape")) and _are_counts(entry.get("data_offsets")) and len(entry["data_offsets"]) == 2


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, int) and value >= 0 for value in values)


def _first_bytes(file: Path) -> bytes:
    with open(file, "rb") as opened:
        return opened.read(64)
