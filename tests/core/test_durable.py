import errno
import json
import os
import subprocess
import sys
import textwrap
import time

import pytest

from core.durable import append_line, damage_of, parse_json, publish_folder, read_json, read_lines, rewrite_lines, storage_error, sweep_hidden, write_atomic, write_if_possible
from core.errors import UserError

VICTIM = """
import sys
from pathlib import Path
from core.durable import append_line, publish_folder, retire_folder
root, step = Path(sys.argv[1]), 0
while True:
    step += 1
    publish_folder(root / f"step-{step:06d}", lambda folder: (folder / "weights").write_bytes(bytes([step % 256]) * 2_000_000))
    append_line(root / "events.jsonl", {"step": step})
    for old in sorted(root.glob("step-*"))[:-2]:
        retire_folder(old)
"""


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "settings.json"
    write_atomic(file, b"old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError, match="full"):
        write_atomic(file, b"new")
    assert file.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_a_torn_last_line_is_left_for_later(tmp_path):
    log = tmp_path / "log"
    append_line(log, {"step": 1})
    with open(log, "ab") as file:
        file.write(b'{"step": 2')
    records, offset = read_lines(log)
    assert records == [{"step": 1}] and offset == len(b'{"step":1}\n')
    with open(log, "ab") as file:
        file.write(b"}\n")
    assert read_lines(log, offset)[0] == [{"step": 2}]


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b'{"step":1}\n{"st\n{"step":3}\n')
    with pytest.raises(UserError, match="Line 2"):
        read_lines(log)


def test_nan_never_enters_a_log(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        append_line(tmp_path / "log", {"loss": float("nan")})


def test_rewriting_keeps_what_it_is_given(tmp_path):
    rewrite_lines(tmp_path / "log", [{"a": 1}, {"b": 2}])
    assert read_lines(tmp_path / "log")[0] == [{"a": 1}, {"b": 2}]


def test_a_published_folder_is_whole_or_absent(tmp_path):
    def half(folder):
        (folder / "a").write_bytes(b"1")
        raise OSError(errno.EDQUOT, "quota")

    with pytest.raises(OSError, match="quota"):
        publish_folder(tmp_path / "step", half)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "manifest"])
def test_every_damage_is_seen(tmp_path, damage):
    folder = tmp_path / "step"
    publish_folder(folder, lambda f: (f / "weights").write_bytes(b"x" * 100))
    assert damage_of(folder) is None
    weights = folder / "weights"
    {"flip": lambda: weights.write_bytes(b"x" * 99 + b"y"), "cut": lambda: weights.write_bytes(b"x" * 99), "remove": weights.unlink, "manifest": (folder / "manifest.json").unlink}[damage]()
    assert damage_of(folder)


def test_what_only_spares_work_is_written_where_it_can_be_and_costs_nothing_where_not(tmp_path):
    assert write_if_possible(tmp_path / "cache" / "one", b"x") and (tmp_path / "cache" / "one").read_bytes() == b"x"
    assert not write_if_possible(tmp_path / "cache" / "one" / "two", b"x"), "its folder is a file"


def test_kill_storm_never_damages_a_published_folder(tmp_path):
    newest = 0
    for number in range(6):
        victim = subprocess.Popen([sys.executable, "-c", textwrap.dedent(VICTIM), str(tmp_path)], stderr=subprocess.DEVNULL)
        time.sleep(0.5 + 0.07 * number)
        victim.kill()
        victim.wait()
        published = sorted(tmp_path.glob("step-*"))
        assert all(damage_of(folder) is None for folder in published)
        read_lines(tmp_path / "events.jsonl")
        newest = max([newest, *(int(folder.name[5:]) for folder in published)])
    assert newest > 3
    sweep_hidden(tmp_path)
    assert not list(tmp_path.glob(".tmp-*"))


@pytest.mark.parametrize(("number", "word"), [(errno.ENOSPC, "space"), (errno.EDQUOT, "space"), (errno.EROFS, "written"), (errno.EIO, "answered")])
def test_a_storage_error_names_the_remedy(tmp_path, number, word):
    error = storage_error(OSError(number, os.strerror(number)), tmp_path)
    assert word in error.what and error.fix and str(tmp_path) in error.where


def test_a_log_is_json_lines(tmp_path):
    append_line(tmp_path / "log", {"what": "Ünï \n 日本"})
    assert json.loads((tmp_path / "log").read_text().splitlines()[0]) == {"what": "Ünï \n 日本"}


def test_a_disk_that_takes_a_part_of_a_line_gets_none_of_it(tmp_path, monkeypatch):
    log = tmp_path / "events.jsonl"
    append_line(log, {"step": 1})
    whole = log.read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:5]))
    with pytest.raises(OSError) as raised:
        append_line(log, {"step": 2})
    monkeypatch.undo()
    assert raised.value.errno == errno.ENOSPC and log.read_bytes() == whole
    append_line(log, {"step": 2})
    assert [record["step"] for record in read_lines(log)[0]] == [1, 2]


def test_a_rename_outlasts_a_reader_that_holds_the_file_open_for_a_moment(tmp_path, monkeypatch):
    """As Windows answers while somebody reads; a place that stays closed is still an error."""
    replace, refusals = os.replace, []

    def busy(old, new):
        if len(refusals) < 3:
            refusals.append(new)
            raise PermissionError(errno.EACCES, "used by another process")
        replace(old, new)

    monkeypatch.setattr(os, "replace", busy)
    write_atomic(tmp_path / "run.json", b"new")
    assert (tmp_path / "run.json").read_bytes() == b"new" and len(refusals) == 3
    monkeypatch.setattr(os, "replace", lambda old, new: (_ for _ in ()).throw(PermissionError(errno.EACCES, "closed")))
    with pytest.raises(PermissionError):
        write_atomic(tmp_path / "run.json", b"newer")
    assert (tmp_path / "run.json").read_bytes() == b"new" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, b"\xff", "{", ""])
def test_what_is_no_json_is_one_kind_of_error_however_deep(tmp_path, text):
    file = tmp_path / "a.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    for read in (lambda: parse_json(text), lambda: read_json(file)):
        with pytest.raises(ValueError):
            read()
