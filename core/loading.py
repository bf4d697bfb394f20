"""LOADING: the lock inside which heavy libraries are imported, and after which the garbage collector leaves them alone. One for the process, as its modules are.

diffusers and transformers look their names up when they are first asked for; of two threads that import them at once, one finds them half there.
Half a million objects of theirs would be gone through whenever Python looks for garbage, a third of a second in which nobody is answered and no step is taken.
"""

from __future__ import annotations

import gc
import sys
import threading

# A library brings hundreds of modules; what is loaded later in small pieces is not worth a look through everything.
MANY_MODULES = 50


class Loading:
    """A lock that a thread may take again. Whoever leaves it last after many modules came sets aside what is alive then (`gc.freeze`)."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._modules = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._depth == 0:
            self._modules = len(sys.modules)
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        try:
            self._depth -= 1
            if self._depth == 0 and len(sys.modules) - self._modules >= MANY_MODULES:
                gc.collect()
                gc.freeze()
        finally:
            self._lock.release()


LOADING = Loading()
