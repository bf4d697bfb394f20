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
