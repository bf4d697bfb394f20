"""How a run is getting on: durations in words, what they cost, and when it has gone silent for longer than its own pace explains."""

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


def cost(seconds: float, price_per_hour: float) -> float | None:
    """In the currency of the price; None where none was given."""
    return seconds / 3600 * price_per_hour if price_per_hour else None


def duration(seconds: float) -> str:
    """12 s, 3 min 20 s, 2 h 05 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
