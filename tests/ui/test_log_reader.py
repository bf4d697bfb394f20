"""The reader of logs behind every live view: what was added is added, and another log at the same place is read anew."""

from pathlib import Path

from core.events import Phase, RunFinished
from core.runs import EventLog
from ui.studio import LogReader


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
