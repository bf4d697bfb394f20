"""Loads a network of one's own from a local folder in transformers' format, never from the hub, never a pickle and never code that lies beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.errors import UserError

# Left open, the second is a question in the terminal, and a "y" runs what somebody put into the folder.
LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


@dataclass(frozen=True)
class Wanted:
    """`purpose` and `families` are said in errors; `fits` tells by the model type of config.json; `processor` names transformers' class that prepares its inputs."""

    purpose: str
    families: str
    fits: Callable[[str], bool]
    processor: str


@dataclass(frozen=True, eq=False)
class Network:
    """In float32, on the GPU where there is one; `kind` is transformers' model type."""

    kind: str
    processor: Any
    model: Any


def load_network(folder: Path, wanted: Wanted) -> Network:
    """Raises UserError for a folder that holds no such model."""
    import transformers

    fix = f"Choose a folder with a {wanted.families} model and its processor files."
    try:
        kind = transformers.AutoConfig.from_pretrained(folder, **LOCAL).model_type
        if not wanted.fits(kind):
            raise UserError(f"This is a {kind} model, not {wanted.families}.", str(folder), fix)
        processor = getattr(transformers, wanted.processor).from_pretrained(folder, **LOCAL, backend="pil")
        model = transformers.AutoModel.from_pretrained(folder, **LOCAL, use_safetensors=True).eval()
    except (OSError, ValueError) as error:
        raise UserError(f"The network for {wanted.purpose} cannot be loaded: {str(error).splitlines()[0][:200]}", str(folder), fix) from None
    return Network(kind, processor, model.to("cuda" if torch.cuda.is_available() else "cpu"))
