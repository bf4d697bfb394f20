"""Whether compiling the blocks pays for itself within a run: expected from the time that is left, then measured on the run's own steps."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from core.pace import duration
from core.training.step import Parts

# The first steps after a change of code are not like the others.
WARM_UP = 3
STEPS_MEASURED = 8
# Two minutes against a tenth of the rest: 108 s on one core of a CPU (docs/experiments.md), less was published for GPUs, where steps became 10 to 29 % shorter.
EXPECTED_SECONDS = 120.0
EXPECTED_GAIN = 0.10
# A smaller gain is the noise of the measurement.
LEAST_GAIN = 0.03


@dataclass
class Compilation:
    """`choice` is the setting: auto tries it where it is expected to pay, on always, off never. The blocks are to be compiled when `is_compiled`."""

    choice: str
    is_compiled: bool = False
    is_decided: bool = field(init=False)
    _plain: list[float] = field(default_factory=list)
    _compiled: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.is_decided = self.choice == "off"

    @classmethod
    def of(cls, parts: Parts) -> Compilation:
        """auto is off where nothing is known to be gained: on a CPU, and with several processes, each of which would decide for itself."""
        choice = parts.settings.model.compile
        return cls("off" if choice == "auto" and (parts.hardware.device.type != "cuda" or parts.world.size > 1) else choice)

    def after_step(self, seconds: float, steps_left: int) -> str | None:
        """Take a step's time into account; what was decided by it, in words."""
        if self.is_decided:
            return None
        steps = self._compiled if self.is_compiled else self._plain
        steps.append(seconds)
        if len(steps) < WARM_UP + STEPS_MEASURED:
            return None
        return self._judge(steps_left) if self.is_compiled else self._begin(steps_left)

    def give_up(self, error: Exception) -> str:
        """The sentence for compiled blocks that failed; the steps go on without."""
        self.is_compiled, self.is_decided = False, True
        reason = " ".join(str(error).split("\n")[:2]) or type(error).__name__
        return f"The compiled blocks failed ({reason[:200]}). Nothing is lost; going on uncompiled."

    def _begin(self, steps_left: int) -> str:
        left = steps_left * _typical(self._plain)
        if self.choice == "auto" and left * EXPECTED_GAIN < EXPECTED_SECONDS:
            self.is_decided = True
            return f"Not compiled: it takes about {duration(EXPECTED_SECONDS)} and would hardly save that of the {duration(left)} of steps that are left"
        self.is_compiled = True
        return f"Compiling the blocks, about {duration(EXPECTED_SECONDS)}; a step takes {_typical(self._plain):.3g} s without"

    def _judge(self, steps_left: int) -> str:
        self.is_decided = True
        plain, compiled = _typical(self._plain), _typical(self._compiled)
        cost = sum(self._compiled) - len(self._compiled) * compiled
        words = f"a step takes {compiled:.3g} s, {plain:.3g} s without; compiling took {duration(cost)}"
        if compiled > (1 - LEAST_GAIN) * plain:
            self.is_compiled = False
            return f"Going on uncompiled: compiled, {words}"
        return f"Compiled: {words}, of the rest it saves {duration(steps_left * (plain - compiled))}"


def _typical(steps: list[float]) -> float:
    """Median seconds after the warm-up; a shape that is compiled late counts as one outlier."""
    return statistics.median(steps[WARM_UP:])
