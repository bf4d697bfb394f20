import typing

import pytest
from pydantic import ValidationError

from core.events import Phase, RunEvent, StepDone, parse_event


def test_every_kind_has_its_own_name():
    kinds = [event.model_fields["kind"].default for event in typing.get_args(RunEvent)]
    assert len(kinds) == 13 and len(set(kinds)) == 13


def test_an_event_survives_the_log():
    event = StepDone(step=3, loss=0.5, learning_rate=1e-4, grad_norm=0.1, seconds=1.5, memory_gib=2.0)
    assert parse_event(event.model_dump(mode="json")) == event


@pytest.mark.parametrize("record", [{"kind": "unheard"}, {"kind": "step"}, {**Phase(what="x").model_dump(), "more": 1}])
def test_a_record_of_no_known_kind_is_refused(record):
    with pytest.raises(ValidationError):
        parse_event(record)
