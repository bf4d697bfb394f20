"""Heavy libraries: whoever needs them first, on whatever thread, gets them whole."""

import subprocess
import sys

from tests.conftest import ROOT

TOGETHER = """
import sys, threading
from pathlib import Path
from core.presets import resolve
from core.runs import RunStore
from core import analysis_tasks, tasks
store = RunStore(Path(sys.argv[1]))
settings = resolve("demo", {}, ["run.name=anna", f"run.output={store.root}", f"dataset.folder={sys.argv[2]}"]).settings
run, faults = store.create(settings), []
def attempt(work):
    try:
        work()
    except BaseException as error:
        faults.append(repr(error))
def begin():
    events = tasks.train(run, store, resume=False)
    kinds = [next(events).kind, next(events).kind]
    events.close()
    assert kinds == ["phase", "run_started"], kinds
def analyze():
    assert [event.kind for event in analysis_tasks.analyze(settings, store)][-1] == "finished"
jobs = [threading.Thread(target=attempt, args=(work,)) for work in (lambda: tasks.prospect(settings, {}), begin, analyze)]
for job in jobs: job.start()
for job in jobs: job.join()
print(faults)
"""


def test_a_forecast_a_training_and_an_analysis_that_begin_together_all_find_their_libraries(photos, tmp_path):
    """A forecast was being worked out when Start was pressed: the run failed, because diffusers was half imported."""
    done = subprocess.run([sys.executable, "-c", TOGETHER, str(tmp_path / "output"), str(photos)], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr[-2000:]


SET_ASIDE = """
import gc, threading
from core.loading import JOB_THREAD, loading_for_a_job
with loading_for_a_job():
    library = [[] for _ in range(1000)]
    assert gc.get_freeze_count() == 0
frozen = gc.get_freeze_count()
assert frozen > 1000
ring = []
ring.append(ring)
del ring
assert gc.collect() > 0, "what comes later is looked through as ever"

model, done = [[] for _ in range(1000)], threading.Event()
other = threading.Thread(target=done.wait, name=JOB_THREAD)
other.start()
with loading_for_a_job():
    pass
assert gc.get_freeze_count() == frozen, "the model of another job stays in sight"
done.set()
other.join()
"""


def test_what_a_library_brought_is_set_aside_from_the_garbage_collector_but_never_another_jobs_model():
    ended = subprocess.run([sys.executable, "-c", SET_ASIDE], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr


def test_a_job_that_begins_alone_sets_its_libraries_aside_and_runs_on_a_thread_of_that_name(photos, tmp_path):
    ended = subprocess.run([sys.executable, "-c", BEGINS, str(tmp_path / "output"), str(photos)], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert ended.stdout.split() == ["True", "True"], ended.stdout + ended.stderr[-2000:]


BEGINS = """
import gc, sys, threading
from pathlib import Path
from core import tasks
from core.jobs import Worker
from core.loading import JOB_THREAD
from core.presets import resolve
from core.runs import RunStore
store = RunStore(Path(sys.argv[1]))
settings = resolve("demo", {}, ["run.name=anna", "train.steps=1", "sampling.every=0", "train.validate_every=0", f"run.output={store.root}", f"dataset.folder={sys.argv[2]}"]).settings
worker = Worker()
tasks.start_training(worker, settings, store)
is_named = any(thread.name == JOB_THREAD for thread in threading.enumerate())
assert worker.wait(150)
print(gc.get_freeze_count() > 300_000, is_named)
"""
