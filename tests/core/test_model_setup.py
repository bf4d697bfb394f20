"""The download as a job, from a small hub on this machine."""

import pytest

import core.flux.download as download_module
from core.errors import Refused
from core.events import Phase
from core.flux.download import Hub
from core.jobs import Worker
from core.model_setup import download, download_log, look, start_download, stop_request
from core.runs import RunStore
from tests.core.hub import HUB_ID, SmallHub, serving

POCKET = "presets/pocket-flux"


@pytest.fixture
def small():
    from pathlib import Path

    hub = SmallHub()
    hub.add_folder(Path(POCKET))
    with serving(hub):
        yield hub


@pytest.fixture
def hub(small, tmp_path):
    return Hub(tmp_path / "cache", small.endpoint, "hf_secret")


def test_a_download_is_a_job_with_a_log_and_a_second_one_finds_all_here(hub, tmp_path):
    store, worker = RunStore(tmp_path / "output"), Worker()
    assert look(HUB_ID, hub).missing > 0
    start_download(worker, HUB_ID, hub, store)
    assert worker.wait(60)
    events = download_log(store).read()[0]
    assert events[-1].kind == "finished" and any(isinstance(event, Phase) and event.total for event in events)
    assert "hf_secret" not in download_log(store).file.read_text()
    assert look(HUB_ID, hub).missing == 0


def test_a_stop_is_an_end_and_what_came_is_kept(hub, small, tmp_path, monkeypatch):
    monkeypatch.setattr(download_module, "SECONDS_BETWEEN_EVENTS", 0)
    monkeypatch.setattr(download_module, "CHUNK", 4096)
    stop = stop_request(RunStore(tmp_path))
    events = []
    for event in download(HUB_ID, hub, stop):
        events.append(event)
        if isinstance(event, Phase) and event.total:
            stop.make()
    assert events[-1].kind == "stopped"
    left = look(HUB_ID, hub).missing
    stop.withdraw()
    assert [event.kind for event in download(HUB_ID, hub, stop)][-1] == "finished" and look(HUB_ID, hub).missing == 0 < left


def test_no_access_is_said_with_the_remedy(hub, small, tmp_path):
    small.status, small.code = 403, "GatedRepo"
    with pytest.raises(Refused, match="no access"):
        look(HUB_ID, hub)
    store, worker = RunStore(tmp_path / "output"), Worker()
    start_download(worker, HUB_ID, hub, store)
    assert worker.wait(60) and "no access" in download_log(store).ended().what
