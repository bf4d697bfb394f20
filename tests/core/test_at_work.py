"""Signs of work: a deletion sees those of other processes, forgets those of dead ones, and lets none begin."""

import subprocess
import sys

import pytest

from core.at_work import SIGNS_FOLDER, at_work, nobody_at_work
from core.errors import Refused

WORK = "import sys; from pathlib import Path; from core.at_work import at_work\nwith at_work(Path(sys.argv[1]), 'making captions'): print('up', flush=True); sys.stdin.read()"


@pytest.fixture
def command(tmp_path):
    with subprocess.Popen([sys.executable, "-c", WORK, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        yield process
        process.kill()


def test_nobody_is_deleted_while_a_command_works(tmp_path, command):
    with pytest.raises(Refused, match="making captions"), nobody_at_work(tmp_path):
        pytest.fail("it began all the same")
    command.stdin.close()
    command.wait(10)
    with nobody_at_work(tmp_path):
        assert list((tmp_path / SIGNS_FOLDER).iterdir()) == []


def test_the_sign_of_a_killed_process_counts_for_nothing_and_is_taken_down(tmp_path, command):
    command.kill()
    command.wait(10)
    assert len(list((tmp_path / SIGNS_FOLDER).iterdir())) == 2
    with nobody_at_work(tmp_path):
        assert list((tmp_path / SIGNS_FOLDER).iterdir()) == []


def test_no_work_begins_while_somebody_is_deleted_and_two_works_go_side_by_side(tmp_path):
    with nobody_at_work(tmp_path), pytest.raises(Refused, match="being deleted"), at_work(tmp_path, "analyzing photos"):
        pytest.fail("it began all the same")
    with at_work(tmp_path, "analyzing photos"), at_work(tmp_path, "making captions"):
        assert len(list((tmp_path / SIGNS_FOLDER).glob("*.lock"))) == 2
    assert list((tmp_path / SIGNS_FOLDER).iterdir()) == []
