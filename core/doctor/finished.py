"""What a finished run tells the next one: whether the person is there without a trained text encoder."""

from __future__ import annotations

import contextlib

from core.doctor.evidence import Evidence
from core.errors import UserError
from core.events import RunFinished
from core.runs import RunStore
from core.training.advice import Finished


def finished_without_encoder(dataset_folder: str, store: RunStore) -> Finished | None:
    """The newest finished run on these photos whose text encoder was frozen, if its samples were measured. A damaged run has no say."""
    for name in store.names():
        with contextlib.suppress(UserError):
            run = store.load(name)
            if run.settings.dataset.folder != dataset_folder or run.settings.trains_text_encoder:
                continue
            evidence = Evidence(run.settings, run.log.read()[0])
            if evidence.published_round and isinstance(evidence.events[-1], RunFinished):
                return Finished(name, evidence.published_round.mean)
    return None
