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
import gc, sys
from core.loading import LOADING, MANY_MODULES
sys.path.insert(0, sys.argv[1])
with LOADING:
    import few_0
assert gc.get_freeze_count() == 0, "a few modules are worth no look through everything"
with LOADING:
    with LOADING:
        for number in range(MANY_MODULES):
            __import__(f"many_{number}")
    assert gc.get_freeze_count() == 0, "what the outer one loads would not be among it"
assert gc.get_freeze_count() > MANY_MODULES
ring = []
ring.append(ring)
del ring
assert gc.collect() > 0, "what comes later is looked through as ever"
"""


def test_what_a_library_brought_is_set_aside_from_the_garbage_collector(tmp_path):
    for name in ["few_0", *(f"many_{number}" for number in range(60))]:
        (tmp_path / f"{name}.py").write_text("things = [{}, {}]\n")
    ended = subprocess.run([sys.executable, "-c", SET_ASIDE, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
