"""Looks into LoRA files: `python scripts/lora.py inspect FILE`, `convert FILE --to kohya|universal OUT`, `verify FILE [--model FOLDER]`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.flux.lora_check import convert, inspect, verify
from core.settings import POCKET_FLUX
from scripts.console import DONE, FAILED, run_command


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    looking = commands.add_parser("inspect", help="kind, rank, layers, trigger, training settings")
    looking.add_argument("file", type=Path)
    converting = commands.add_parser("convert", help="write the LoRA in another format")
    converting.add_argument("file", type=Path)
    converting.add_argument("out", type=Path)
    converting.add_argument("--to", choices=("kohya", "universal"), required=True)
    verifying = commands.add_parser("verify", help="check that diffusers, ComfyUI and Forge load it as it was trained")
    verifying.add_argument("file", type=Path)
    verifying.add_argument("--model", type=Path, help=f"also draw with it in diffusers on this model, such as {POCKET_FLUX}")
    arguments = parser.parse_args()
    match arguments.command:
        case "inspect":
            print(json.dumps(inspect(arguments.file), indent=2, ensure_ascii=False))
            return DONE
        case "convert":
            print(f"Written: {convert(arguments.file, arguments.to, arguments.out)}")
            return DONE
    checks = verify(arguments.file, arguments.model)
    for check in checks:
        print(f"{'ok  ' if check.passed else 'FAIL'}  {check.what}")
    return DONE if all(check.passed for check in checks) else FAILED


if __name__ == "__main__":
    sys.exit(run_command(main))
