"""Makes the pocket FLUX from nothing: `python -m core.pocket.build` draws, trains and writes presets/pocket-flux.

Every stage is kept in the work folder and goes on where it was killed. Same recipe, same seed, same machine: same weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FluxPipeline
from transformers import CLIPTokenizer

from core.identity.drawn import DrawnJudge, save_judge
from core.identity.faces import JUDGE_FILE
from core.pocket.drawings import make_drawings
from core.pocket.models import clip_tokenizer, scheduler, t5_tokenizer
from core.pocket.recipe import REHEARSAL, SHIPPED, Recipe
from core.pocket.train_autoencoder import encode_all, train_autoencoder
from core.pocket.train_flux import Denoiser, train_flux
from core.pocket.train_judge import train_judge


def build(folder: Path, output: Path, recipe: Recipe) -> None:
    """All stages; `folder` keeps the work, `output` becomes a FLUX.1-dev repository with the judge beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    drawings = make_drawings(folder / "drawings", recipe)
    clip, t5 = _clip_tokenizer(folder / "clip-tokenizer", drawings.captions), t5_tokenizer(drawings.captions, recipe.text_tokens)
    vae = train_autoencoder(folder, recipe, drawings.pixels_NHWC)
    latents = encode_all(folder / "latents.pt", vae, drawings.pixels_NHWC)
    denoiser = train_flux(folder, recipe, latents, vae.config.shift_factor, vae.config.scaling_factor, drawings.captions, clip, t5)
    judge = train_judge(folder, recipe, drawings, latents, vae)
    write(output, vae, denoiser, clip, t5, judge)


def _clip_tokenizer(kept: Path, captions: list[str]) -> CLIPTokenizer:
    """Made once: equally frequent pieces may change places the next time, and the encoder has learned their numbers."""
    if not kept.exists():
        clip_tokenizer(captions).save_pretrained(kept)
    return CLIPTokenizer.from_pretrained(kept)


def write(output: Path, vae: AutoencoderKL, denoiser: Denoiser, clip, t5, judge: DrawnJudge) -> None:
    pipeline = FluxPipeline(scheduler(), vae, denoiser.clip, clip, denoiser.t5, t5, denoiser.transformer)
    pipeline.save_pretrained(output, safe_serialization=True)
    save_judge(judge, output / JUDGE_FILE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("data/cache/pocket"), help="keeps drawings and unfinished stages")
    parser.add_argument("--output", type=Path, default=Path("presets/pocket-flux"))
    parser.add_argument("--rehearsal", action="store_true", help="every stage in seconds; the pictures mean nothing")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    build(arguments.work, arguments.output, REHEARSAL if arguments.rehearsal else SHIPPED)


if __name__ == "__main__":
    main()
