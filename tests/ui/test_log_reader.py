"""The reader of logs behind every live view: what was added is added, and another log at the same place is read anew."""

from pathlib import Path

from core.events import Phase, RunFinished, StepDone
from core.runs import EventLog
from ui.log_reader import LogReader
from ui.run_view import fold


def test_only_what_was_added_is_read_again(tmp_path: Path) -> None:
    log, reader = EventLog(tmp_path / "events.jsonl"), LogReader()
    log.append(Phase(what="first"))
    first = reader.events(log)
    log.append(RunFinished(seconds=1.0))
    assert reader.events(log)[0] is first[0]
    assert [event.kind for event in reader.events(log)] == ["phase", "finished"]


def test_a_longer_log_that_got_the_file_number_of_the_deleted_one_is_read_anew(tmp_path: Path) -> None:
    log, reader = EventLog(tmp_path / "events.jsonl"), LogReader()
    log.append(Phase(what="old"))
    reader.events(log)
    other = EventLog(tmp_path / "other.jsonl")
    for what in ("a longer first line", "second"):
        other.append(Phase(what=what))
    log.file.write_bytes(other.file.read_bytes())
    assert [event.what for event in reader.events(log)] == ["a longer first line", "second"]


def test_no_log_is_no_event(tmp_path: Path) -> None:
    assert LogReader().events(EventLog(tmp_path / "events.jsonl")) == []


def step(number: int) -> StepDone:
    return StepDone(step=number, loss=1 / number, learning_rate=1e-4, grad_norm=1.0, seconds=0.5, memory_gib=1.0)


def test_a_view_of_a_growing_log_is_the_fold_of_all_of_it_and_stays_as_it_was_given(tmp_path: Path) -> None:
    log, reader = EventLog(tmp_path / "events.jsonl"), LogReader()
    views = []
    for number in range(1, 31):
        log.append(step(number))
        views.append(reader.look(log)[1])
    assert views == [fold(log.read()[0][:number]) for number in range(1, 31)]


def test_of_the_steps_only_the_newest_is_kept_in_its_place_and_all_are_in_the_fold(tmp_path: Path) -> None:
    log, reader = EventLog(tmp_path / "events.jsonl"), LogReader()
    for event in (Phase(what="start"), step(1), Phase(what="samples"), step(2), step(3), RunFinished(seconds=1.0)):
        log.append(event)
        seen, view = reader.look(log)
    assert [getattr(event, "step", event.kind) for event in seen] == ["phase", "phase", 3, "finished"]
    assert view == fold(log.read()[0]) and len(view.losses.points) == 3


def test_only_the_logs_that_were_asked_for_last_are_kept(tmp_path: Path) -> None:
    reader, logs = LogReader(), [EventLog(tmp_path / f"{number}.jsonl") for number in range(LogReader.MOST_LOGS + 1)]
    for log in logs:
        log.append(Phase(what="work"))
    first, second = reader.events(logs[0]), reader.events(logs[1])
    assert reader.events(logs[0])[0] is first[0]
    for log in logs[2:]:
        reader.events(log)
    assert reader.events(logs[0])[0] is first[0] and reader.events(logs[1])[0] is not second[0]
