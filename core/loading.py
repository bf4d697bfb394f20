"""LOADING: the lock inside which heavy libraries are imported. One for the process, as its modules are.

diffusers and transformers look their names up when they are first asked for; of two threads that import them at once, one finds them half there.
"""

from __future__ import annotations

import threading

LOADING = threading.RLock()
