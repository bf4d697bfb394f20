"""What the measures work on: the score of one picture, and a measure's value with its verdict or the reason why there is none."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from core.identity.faces import Angle

Verdict = Literal["good", "watch", "bad", "not measured"]


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PictureScore(Value):
    """What was read of one drawn picture, without anything biometric.

    `prompt` is the prompt's number, `kind` its mark. `has_face` is None where faces were not read. `likeness` and `likeness_at_angle` are None without a
    face or a reference. `skin` and `sharpness` are absolute; the measures compare them. `second_face` is the likeness of the second largest face. `photos_at_angle` counts
    the person's photos of this head angle, on either side. `asks_for_a_photo` says that its prompt describes what one photo shows.
    """

    prompt: int
    kind: str
    seed: int
    source: str
    strength: float
    has_face: bool | None = None
    likeness: float | None = None
    likeness_at_angle: float | None = None
    angle: Angle | None = None
    yaw: float | None = None
    photos_at_angle: int | None = None
    second_face: float | None = None
    asks_for_a_photo: bool = False
    copy_of: str = ""
    copied: tuple[str, ...] = ()
    nearest: str = ""
    nearest_cosine: float | None = None
    copy_score: float | None = None
    adherence: float | None = None
    sharpness: float | None = None
    skin: float | None = None

    @property
    def key(self) -> tuple[int, int]:
        """What it shares with the base model's picture it is compared with."""
        return self.prompt, self.seed


class Measure(Value):
    """`value` is None exactly where `verdict` is 'not measured', and `reason` says why. `detail` is one sentence of evidence for people."""

    name: str
    value: float | None
    verdict: Verdict
    detail: str = ""
    reason: str = ""
    parts: dict[str, float] = {}
    photo: str = ""


def not_measured(name: str, reason: str) -> Measure:
    return Measure(name=name, value=None, verdict="not measured", reason=reason)


def verdict_above(value: float, good: float, watch: float) -> Verdict:
    """For measures of which more is better."""
    return "good" if value >= good else "watch" if value >= watch else "bad"


def verdict_below(value: float, good: float, watch: float) -> Verdict:
    """For measures of which less is better."""
    return "good" if value <= good else "watch" if value <= watch else "bad"
