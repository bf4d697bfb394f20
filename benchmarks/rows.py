"""Rows of a measurement: each in a process of its own, one JSON line each, kept in a file, so that a measurement that was broken off goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def measure_rows(script: str, rows: Sequence[Row], kept: Path) -> None:
    """Run `script --row JSON` for each row that `kept` has no result of; print what it says. A row that fails is printed with its last line and tried again next time."""
    done = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()] if kept.exists() else []
    kept.parent.mkdir(parents=True, exist_ok=True)
    for row in rows:
        result = next((one for one in done if one["row"] == row), None)
        if result is None:
            answer = subprocess.run([sys.executable, script, "--row", json.dumps(row)], capture_output=True, text=True)
            if answer.returncode:
                print(json.dumps({"row": row, "failed": (answer.stderr.strip().splitlines() or [f"code {answer.returncode}"])[-1]}), flush=True)
                continue
            result = {"row": row, **json.loads(answer.stdout.splitlines()[-1])}
            with open(kept, "a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
        print(json.dumps(result), flush=True)
