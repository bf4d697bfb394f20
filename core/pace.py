"""How a run is getting on, from its log: when it has gone silent for longer than its own pace explains."""

from __future__ import annotations

PATIENCE = 10
# Below this a pause is nothing to talk about, however fast the steps are.
SHORTEST_SILENCE = 60.0


def silence(last_sign: float, typical_step: float, now: float) -> float | None:
    """Seconds since the last sign of life when they exceed PATIENCE typical steps (seconds, all of them), else None."""
    quiet = now - last_sign
    return quiet if typical_step > 0 and quiet > max(SHORTEST_SILENCE, PATIENCE * typical_step) else None


def silence_words(quiet: float, typical_step: float) -> str:
    return f"No step for {quiet / 60:.0f} min; one usually takes {typical_step:.1f} s. The device may be busy with something else or hang. Stopping saves at the next step; if nothing moves, restart and press Resume: the checkpoints are safe."
