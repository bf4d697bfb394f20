"""The run a LoRA file was made by."""

from __future__ import annotations

from pathlib import Path

from core.errors import UserError
from core.evaluation.grid import TRANSFORMER_ONLY
from core.runs import Run, RunStore


def run_of(lora: str, output: Path) -> Run | None:
    """Its name is the file's, or the file's without the mark of a checkpoint or a twin. None where there is no such run, or its record is damaged."""
    store, name = RunStore(output), Path(lora).name.removesuffix(".safetensors")
    names = [known for known in store.names() if name in (known, f"{known}.{TRANSFORMER_ONLY}") or name.startswith(f"{known}-step-")]
    try:
        return store.load(max(names, key=len)) if names else None
    except UserError:
        return None
