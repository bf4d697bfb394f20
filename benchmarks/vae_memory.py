"""What FLUX's VAE takes beside its weights while a picture is encoded or drawn: `python benchmarks/vae_memory.py`, random weights of full size, a process a row."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

SIDES = (256, 512)


def measure(what: str, side: int) -> dict[str, object]:
    import torch
    from diffusers import AutoencoderKL
    from memory import resident_peak

    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    vae = AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=16, block_out_channels=(128, 256, 512, 512), layers_per_block=2, norm_num_groups=32,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, use_quant_conv=False, use_post_quant_conv=False,
    ).to(device).eval()  # fmt: skip
    with torch.no_grad():
        vae.decode(torch.zeros(1, 16, 4, 4, device=device))
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() if on_gpu else resident_peak()
        vae.encode(torch.zeros(1, 3, side, side, device=device)) if what == "encode" else vae.decode(torch.zeros(1, 16, side // 8, side // 8, device=device))
    taken = (torch.cuda.max_memory_allocated() if on_gpu else resident_peak()) - before
    return {"what": what, "side": side, "mib": round(taken / 2**20), "bytes_per_pixel": round(taken / side**2)}


def main() -> None:
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
        return
    for what in ("encode", "decode"):
        for side in SIDES:
            answer = subprocess.run([sys.executable, __file__, what, str(side)], check=True, capture_output=True, text=True)
            print(answer.stdout.splitlines()[-1], flush=True)


if __name__ == "__main__":
    main()
