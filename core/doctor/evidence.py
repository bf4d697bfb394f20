"""What the doctor looks at: a run's settings and log, the analyzer's report on its photos, the measures of its evaluation; nothing is read from disk here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.analyzer.report import AnalysisReport
from core.evaluation.values import Measure, not_measured
from core.events import TERMINAL, LikenessMeasured, RunEvent, RunFailed, RunFinished, RunStarted, RunStopped, StepDone, StoppedEarly, Warned
from core.settings import Settings
from core.signs import END, rounds_of


@dataclass(frozen=True)
class Evidence:
    """`measures` are by name, empty where the run was not evaluated; `report` is None where the photos were not analyzed."""

    settings: Settings
    events: Sequence[RunEvent]
    report: AnalysisReport | None = None
    measures: Mapping[str, Measure] = field(default_factory=dict)

    def measure(self, name: str) -> Measure:
        return self.measures.get(name, not_measured(name, ""))

    @property
    def steps_done(self) -> int:
        return max((event.step for event in self.events if isinstance(event, StepDone)), default=0)

    @property
    def has_ended(self) -> bool:
        """Whether there is a LoRA to judge: the run finished, was stopped, or is in the last tenth of its steps."""
        last = next((event for event in reversed(self.events) if isinstance(event, (*TERMINAL, RunStarted))), None)
        return bool(self.steps_done) and (isinstance(last, (RunFinished, RunStopped)) or self.steps_done >= END * self.settings.train.steps)

    @property
    def was_stopped_short(self) -> bool:
        """By a person or a shutdown; a run that ended early by itself had nothing to gain."""
        return self.steps_done < END * self.settings.train.steps and self.early is None

    @property
    def early(self) -> StoppedEarly | None:
        return next((event for event in reversed(self.events) if isinstance(event, StoppedEarly)), None)

    @property
    def failure(self) -> RunFailed | None:
        """Why the run broke off, unless it went on since."""
        last = next((event for event in reversed(self.events) if isinstance(event, (*TERMINAL, StepDone))), None)
        return last if isinstance(last, RunFailed) else None

    @property
    def warnings(self) -> list[str]:
        return list(dict.fromkeys(event.what for event in self.events if isinstance(event, Warned)))

    @property
    def published_round(self) -> LikenessMeasured | None:
        """The likeness of the samples of the LoRA's step: the newest, or the best where the run ended early."""
        rounds = rounds_of(self.events)
        of_the_best = [measured for measured in rounds if self.early and measured.step == self.early.best_step]
        return (of_the_best or rounds or [None])[-1]
