"""One running studio for all tests that attack it."""

import os

import pytest

from tests.conftest import ROOT
from tests.ui.running import RunningStudio, start_studio


@pytest.fixture(scope="session")
def one_studio(tmp_path_factory, demo_subject) -> RunningStudio:
    root, before = tmp_path_factory.mktemp("running"), os.getcwd()
    os.chdir(ROOT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(root / "gradio"))
        running = start_studio(root)
    os.chdir(before)
    yield running
    running.server.leave()
    running.server.wait(5)


@pytest.fixture
def running(one_studio) -> RunningStudio:
    """The same server for every test, without the memory of wrong tokens."""
    one_studio.gate.brake.__init__()
    return one_studio
