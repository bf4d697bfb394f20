"""The queue at work, with jobs that end as they are told."""

import pytest

from core.errors import Refused, UserError
from core.events import RunFailed, RunFinished, RunStopped
from core.jobs import Worker
from core.queue_runner import RESTARTED, STOPPED, QueueRunner
from core.runs import RunStore, training_words
from core.settings import parse_settings


def settings(name):
    return parse_settings({"run.name": name})


class Stage:
    """A runner whose runs end at once, each in the way `ends` says; `started` is their order."""

    def __init__(self, root):
        self.store, self.worker, self.started, self.ends = RunStore(root), Worker(), [], {}
        self.runner = QueueRunner(self.worker, self.store, self.start)

    def start(self, worker, waiting, store):
        end = self.ends.get(waiting.name, RunFinished(seconds=1.0))
        if isinstance(end, UserError):
            raise end

        def prepare():
            run = store.create(waiting.settings, waiting.preset)
            self.started.append(waiting.name)
            return (lambda: iter([end])), run.log

        worker.start(store.exclusive(training_words(waiting.name)), prepare)

    def look(self, times=1):
        for _ in range(times):
            self.runner.look()
            assert self.worker.wait(20)

    def add(self, *names):
        for name in names:
            self.runner.queue.add(settings(name), "fast")

    @property
    def queue(self):
        return self.runner.queue.read()


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path / "output")


def test_runs_start_one_after_the_other(stage):
    stage.add("anna", "berta")
    stage.look(3)
    assert stage.started == ["anna", "berta"] and stage.queue.waiting == ()
    assert stage.store.load("anna").preset == "fast"


def test_a_failed_run_and_one_that_cannot_start_do_not_stop_the_next(stage):
    stage.ends = {"anna": RunFailed(what="broken"), "berta": Refused("There are no photos.", "data/x", "Add some.")}
    stage.add("anna", "berta", "clara")
    stage.look(3)
    assert stage.started == ["anna", "clara"]
    assert stage.queue.failed == ("berta: There are no photos. Add some.",)


def test_a_persons_stop_holds_the_rest(stage):
    stage.add("anna", "berta")
    stage.look()
    stage.store.stop_request().make()
    stage.look(3)
    assert stage.started == ["anna"] and stage.queue.held == STOPPED
    stage.runner.queue.go_on()
    stage.look(2)
    assert stage.started == ["anna", "berta"]


def test_nothing_starts_while_the_machine_goes_down_or_somebody_else_works(stage):
    stage.add("anna")
    stage.store.stop_request().make("shutdown")
    stage.look(2)
    assert stage.started == [] and not stage.queue.held
    stage.store.stop_request().withdraw()
    with stage.store.exclusive("drawing"):
        stage.runner.look()
    assert stage.started == []
    stage.look()
    assert stage.started == ["anna"]


def test_a_run_that_lost_the_race_for_the_device_keeps_its_place(stage):
    stage.add("anna", "berta")
    with stage.store.exclusive("drawing"):
        stage.store.holder = iter([None, "drawing"]).__next__
        stage.ends = {"anna": Refused("Something is running already.")}
        stage.runner.look()
    assert [waiting.name for waiting in stage.queue.waiting] == ["anna", "berta"] and stage.queue.failed == ()


@pytest.mark.parametrize(("goes_on", "held"), [(False, RESTARTED), (True, "")])
def test_what_waited_through_a_restart_starts_only_when_that_was_asked_for(stage, goes_on, held):
    stage.add("anna")
    stage.store.stop_request().make("shutdown")
    again = QueueRunner(stage.worker, stage.store, stage.start)
    again.end()
    again.begin(goes_on)
    assert again.queue.read().held == held and not stage.store.stop_request().is_made()


def test_stopped_by_a_shutdown_is_no_persons_stop(stage):
    stage.ends = {"anna": RunStopped(step=1, seconds=1.0, by="shutdown")}
    stage.add("anna", "berta")
    stage.look(2)
    assert stage.started == ["anna", "berta"]
