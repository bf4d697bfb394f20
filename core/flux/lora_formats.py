"""A LoRA in other people's names: kohya's format and back, and what ComfyUI and Forge make of a file.

All of them patch the weights of Black Forest Labs' model, where q, k, v (and in single blocks the MLP's first layer) are one matrix.
`weights` are the tensors of a LoRA file by their names in the universal format (core.flux.lora_file).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import UserError
from core.flux.lora_file import ENCODER_PREFIX, TRANSFORMER_PREFIX
from core.flux.weights import DOUBLE, PLACE_IN_JOINT, SINGLE, their_name

UNET, CLIP = "lora_unet_", "lora_te1_text_model_"
MLP_RATIO = 4
_CLIP_LAYER = re.compile(r"encoder_layers_(\d+)_(self_attn_(?:q|k|v|out)_proj|mlp_fc[12])")
_BLOCK = re.compile(r"(double|single)_blocks_(\d+)_(.+)")


@dataclass(frozen=True)
class Pair:
    """One adapted layer: change = up @ down. `module` is diffusers' name of the layer."""

    module: str
    down: Tensor
    up: Tensor


@dataclass(frozen=True)
class Patch:
    """What a loader adds to rows `first_row` and following of one weight at strength 1."""

    weight: str
    first_row: int
    change: Tensor


def pairs_of(weights: Mapping[str, Tensor]) -> Iterator[Pair]:
    """The adapted layers of a universal file, transformer and text encoder. Raises KeyError for a down without its up."""
    for name, tensor in weights.items():
        if name.endswith(".lora_A.weight"):
            stem = name.removesuffix(".lora_A.weight")
            yield Pair(stem, tensor, weights[f"{stem}.lora_B.weight"])


def patches_of(weights: Mapping[str, Tensor]) -> tuple[list[Patch], list[str]]:
    """Patches of the joint weights as ComfyUI and Forge apply them, and the names they would not understand.

    ComfyUI maps diffusers' names to the single-file model (comfy/utils.py, flux_to_diffusers) and `text_encoder.text_model.` to CLIP-L (comfy/lora.py).
    """
    patches, unknown = [], []
    for pair in pairs_of(weights):
        change = pair.up.float() @ pair.down.float()
        if pair.module.startswith(ENCODER_PREFIX):
            patches.append(Patch(f"clip_l.transformer.text_model.{pair.module.removeprefix(ENCODER_PREFIX)}.weight", 0, change))
            continue
        module = pair.module.removeprefix(TRANSFORMER_PREFIX)
        try:
            theirs = their_name(module)
        except KeyError:
            unknown.append(pair.module)
            continue
        patches.append(Patch(f"{theirs}.weight", _place(module) * _width(pair, module), change))
    return patches, unknown


def to_kohya(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """kohya's names (lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight ...) with an alpha for each.

    Joint layers become one pair of n times the rank, down stacked and up block-diagonal; alpha is n times the rank too, so that the scale stays 1.
    """
    groups: dict[str, list[Pair]] = {}
    for pair in pairs_of(weights):
        groups.setdefault(_kohya_name(pair.module), []).append(pair)
    found: dict[str, Tensor] = {}
    for name, pairs in groups.items():
        down, up = _joined(name, pairs)
        found[f"{name}.lora_down.weight"], found[f"{name}.lora_up.weight"] = down.contiguous(), up.contiguous()
        found[f"{name}.alpha"] = torch.tensor(float(down.shape[0]))
    return found


def from_kohya(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The universal format, alpha folded in. A joint layer of true rank r becomes one pair for each part, all with the same down.

    Raises UserError naming a layer that FLUX.1-dev does not have.
    """
    found: dict[str, Tensor] = {}
    for name in sorted({key.split(".")[0] for key in weights}):
        down, up = weights[f"{name}.lora_down.weight"], weights[f"{name}.lora_up.weight"]
        scale = float(weights[f"{name}.alpha"]) / down.shape[0] if f"{name}.alpha" in weights else 1.0
        for module, rows in _modules_of(name, up.shape[0]):
            part = (up[rows].float() * scale).to(up.dtype)
            used = part.abs().sum(dim=0) > 0  # a block-diagonal up leaves most of the rank to the other parts
            keep = used if bool(used.any()) and int(used.sum()) < down.shape[0] else slice(None)
            found[f"{module}.lora_A.weight"], found[f"{module}.lora_B.weight"] = down[keep].contiguous(), part[:, keep].contiguous()
    return found


def is_kohya(names: Mapping[str, object]) -> bool:
    return any(name.startswith((UNET, CLIP)) for name in names)


def _kohya_name(module: str) -> str:
    if module.startswith(ENCODER_PREFIX):
        return CLIP + module.removeprefix(ENCODER_PREFIX).replace(".", "_")
    return UNET + their_name(module.removeprefix(TRANSFORMER_PREFIX)).replace(".", "_")


def _joined(name: str, pairs: list[Pair]) -> tuple[Tensor, Tensor]:
    if len(pairs) == 1 and not _is_joint(name):
        return pairs[0].down, pairs[0].up
    pairs = sorted(pairs, key=lambda pair: _place(pair.module))
    width = _width(pairs[0], pairs[0].module)
    rows = width * (3 + MLP_RATIO if name.endswith("linear1") else 3)
    up = pairs[0].up.new_zeros(rows, sum(pair.down.shape[0] for pair in pairs))
    column = 0
    for pair in pairs:
        first, rank = _place(pair.module) * width, pair.down.shape[0]
        up[first : first + pair.up.shape[0], column : column + rank] = pair.up
        column += rank
    return torch.cat([pair.down for pair in pairs]), up


def _modules_of(name: str, rows: int) -> Iterator[tuple[str, slice]]:
    """Universal names of the layers behind a kohya name, each with its rows of the up matrix."""
    if name.startswith(CLIP) and (match := _CLIP_LAYER.fullmatch(name.removeprefix(CLIP))):
        layer, rest = match.groups()
        yield f"{ENCODER_PREFIX}encoder.layers.{layer}.{rest.replace('self_attn_', 'self_attn.').replace('mlp_', 'mlp.')}", slice(None)
        return
    match = _BLOCK.fullmatch(name.removeprefix(UNET))
    kind, number, rest = match.groups() if match else ("", "", "")
    table = {"double": DOUBLE, "single": SINGLE}.get(kind, {})
    modules = [ours for ours, theirs in table.items() if theirs.replace(".", "_") == rest]
    if not modules:
        raise UserError(f"This LoRA changes a layer that FLUX.1-dev does not have: {name}.", "LoRA file", "Choose a LoRA made for FLUX.1-dev.")
    width = rows // (3 + MLP_RATIO if rest == "linear1" else 3)
    for ours in modules:
        module = f"{TRANSFORMER_PREFIX}{'single_' if kind == 'single' else ''}transformer_blocks.{number}.{ours}"
        place = PLACE_IN_JOINT.get(ours.rsplit(".", 1)[-1])
        if place is None:
            yield module, slice(None)
        else:
            yield module, slice(place * width, None if place == 3 else (place + 1) * width)


def _is_joint(name: str) -> bool:
    return name.endswith(("_qkv", "linear1"))


def _place(module: str) -> int:
    return PLACE_IN_JOINT.get(module.rsplit(".", 1)[-1], 0)


def _width(pair: Pair, module: str) -> int:
    """The model's width, from one of a joint layer's parts."""
    return pair.up.shape[0] // MLP_RATIO if module.endswith("proj_mlp") else pair.up.shape[0]
