import json
import threading

import pytest

from core.errors import Refused, UserError
from core.run_queue import MOST_WAITING, RunQueue
from core.settings import parse_settings


def settings(name, folder="data/subject"):
    return parse_settings({"run.name": name, "dataset.folder": folder})


@pytest.fixture
def queue(tmp_path):
    return RunQueue(tmp_path / "output")


def names(queue):
    return [waiting.name for waiting in queue.read().waiting]


def test_runs_wait_in_order_and_another_reader_sees_the_same(queue, tmp_path):
    for name in ("anna", "berta", "clara"):
        queue.add(settings(name), "fast")
    assert names(queue) == names(RunQueue(tmp_path / "output")) == ["anna", "berta", "clara"]
    assert queue.read().waiting[0].settings == settings("anna") and queue.read().waiting[0].preset == "fast"
    assert queue.take_next().name == "anna" and names(queue) == ["berta", "clara"]


def test_the_order_is_changed_and_stays_within_the_queue(queue):
    anna, berta, clara = (queue.add(settings(name), "fast") for name in ("anna", "berta", "clara"))
    queue.move(clara.identity, -1)
    assert names(queue) == ["anna", "clara", "berta"]
    queue.move(anna.identity, -1)
    queue.move(berta.identity, 1)
    queue.move("unknown", 1)
    assert names(queue) == ["anna", "clara", "berta"]
    queue.remove(clara.identity)
    queue.remove("unknown")
    assert names(queue) == ["anna", "berta"]


def test_a_held_queue_gives_nothing_until_a_person_says_go_on(queue):
    queue.hold("nothing waits, so nothing is held")
    assert queue.read().held == ""
    queue.add(settings("anna"), "fast")
    queue.hold("You stopped what was running.")
    assert queue.take_next() is None and names(queue) == ["anna"]
    queue.go_on()
    taken = queue.take_next()
    queue.put_back(taken)
    assert names(queue) == ["anna"]


def test_a_name_waits_once_and_the_queue_has_an_end(queue):
    queue.add(settings("anna"), "fast")
    with pytest.raises(Refused, match="'anna' is waiting already"):
        queue.add(settings("anna"), "final")
    for number in range(MOST_WAITING - 1):
        queue.add(settings(f"run-{number}"), "fast")
    with pytest.raises(Refused, match=str(MOST_WAITING)):
        queue.add(settings("one-more"), "fast")


@pytest.mark.parametrize("content", ["{", "[]", '{"waiting": [{"identity": "x", "preset": "fast", "settings": {"train": {"steps": -1}}}]}', '{"waiting": "<script>"}', "\x00\x01"])
def test_a_damaged_queue_is_said_and_left_as_it_is(queue, content):
    queue.file.parent.mkdir()
    queue.file.write_text(content)
    for act in (queue.read, queue.take_next, lambda: queue.add(settings("anna"), "fast")):
        with pytest.raises(UserError, match="queue of runs cannot be read"):
            act()
    assert queue.file.read_text() == content


def test_two_pages_that_change_it_at_once_lose_nothing(queue):
    threads = [threading.Thread(target=queue.add, args=(settings(f"run-{number}"), "fast")) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names(queue)) == sorted(f"run-{number}" for number in range(12))
    json.loads(queue.file.read_text())


def test_runs_on_deleted_photos_leave_the_queue(queue, tmp_path):
    queue.add(settings("anna", str(tmp_path / "anna")), "fast")
    queue.add(settings("berta", str(tmp_path / "berta")), "fast")
    queue.forget_dataset(tmp_path / "berta" / ".." / "anna")
    assert names(queue) == ["berta"]
