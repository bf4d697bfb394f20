"""LOADING: the lock inside which heavy libraries are imported. One for the process, as its modules are. And what is done about their weight.

diffusers and transformers look their names up when they are first asked for; of two threads that import them at once, one finds them half there.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

LOADING = threading.RLock()
JOB_THREAD = "job"


@contextlib.contextmanager
def loading_for_a_job() -> Iterator[None]:
    """LOADING for what a job imports before it loads its first model."""
    with LOADING:
        yield
        set_libraries_aside()


def set_libraries_aside() -> None:
    """Spare the garbage collector what is alive now: it goes through half a million objects of Gradio and torch, and for a third of a second nobody is answered and no step is taken.

    Not while another job runs: a model whose parts refer to each other would never be freed.
    """
    if not any(thread.name == JOB_THREAD and thread is not threading.current_thread() for thread in threading.enumerate()):
        gc.collect()
        gc.freeze()
