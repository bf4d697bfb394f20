"""Machine: what the process runs on, as far as it decides what may be started: a rented pod or a desktop, with GPUs or without."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

POD_ID = re.compile(r"[a-z0-9]{6,40}")
AMD_DEVICE = Path("/dev/kfd")
SECONDS_TO_ASK = 15
NO_GPU = "This pod has no GPU: you can look, download, and rehearse with the pocket FLUX."
START_WITH_GPU = "A stopped pod may come back without one. Stop it and start it again when GPUs are free, or rent another pod on the same network volume."


@dataclass(frozen=True)
class Machine:
    """`pod` is the provider's name for a rented machine, None for one's own; `network_volume` outlives the pod."""

    pod: str | None = None
    gpus: int = 0
    network_volume: bool = False

    @property
    def is_pod_without_gpu(self) -> bool:
        return self.pod is not None and self.gpus == 0

    @property
    def note(self) -> str | None:
        """What the page says on top, when there is something to say."""
        return f"{NO_GPU} {START_WITH_GPU}" if self.is_pod_without_gpu else None


def pod_of(environment: Mapping[str, str]) -> str | None:
    """The pod's id; anything that does not look like one is nobody's pod."""
    name = environment.get("RUNPOD_POD_ID", "")
    return name if POD_ID.fullmatch(name) else None


def this_machine(environment: Mapping[str, str]) -> Machine:
    return Machine(pod_of(environment), count_gpus(), bool(environment.get("RUNPOD_VOLUME_ID")))


def count_gpus() -> int:
    """Without importing torch, which takes seconds: what the driver lists."""
    if AMD_DEVICE.exists():
        return 1
    command = shutil.which("nvidia-smi")
    if command is None:
        return 0
    try:
        answer = subprocess.run([command, "-L"], capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=SECONDS_TO_ASK, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in answer.stdout.splitlines())
