"""What the Analyzer tab and the Training tab say of a report, without a browser: the verdict, what it means, and that it is out of date."""

import os

import pytest
from PIL import Image

from core.analyzer.report import AnalysisReport, Finding, write_report
from core.dataset.folder import files_state
from core.runs import RunStore
from core.tasks import kept_report, report_file
from ui.analyzer_tab import changed_since, readiness, render
from ui.studio import Studio


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "anna"
    folder.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (300, 200), "red").save(folder / f"{name}.png")
    return folder


@pytest.fixture
def studio(tmp_path, folder):
    (tmp_path / "output").mkdir()
    return Studio(RunStore(tmp_path / "output"), {"DATA_DIR": str(folder)})


def report_on(photos, *findings, **changes):
    return AnalysisReport(**{"folder": str(photos), "files_state": files_state(photos), "photo_count": 2, "trigger_word": "ohwx", "resolution": 512, "findings": findings, "buckets": ()} | changes)


def shown(studio, folder, trigger_word="ohwx", resolution=512):
    return render(studio, str(folder), trigger_word, resolution, ())[1]


@pytest.mark.parametrize(("severity", "verdict", "meaning"), [(None, "Ready", "Go ahead"), ("warning", "Good enough for a test", "the final run deserves the fixes"), ("error", "Fix first", "Training works all the same")])
def test_the_training_tab_says_the_verdict_and_what_it_means(studio, folder, severity, verdict, meaning):
    findings = [Finding(check="x", severity=severity, what="<b>", fix="")] if severity else []
    write_report(report_on(folder, *findings), report_file(str(folder), studio.store))
    body, words = shown(studio, folder)
    assert verdict in body and verdict in words and meaning in words and "out of date" not in body + words and "<b><b>" not in body


def test_a_report_is_out_of_date_once_photos_trigger_or_resolution_are_others(studio, folder):
    write_report(report_on(folder), report_file(str(folder), studio.store))
    for what in ({"trigger_word": "zwx"}, {"resolution": 768}):
        assert all("out of date" in html for html in shown(studio, folder, **what))
    (folder / "a.txt").write_text("ohwx, a")
    assert all("out of date" in html and "changed since" in html for html in shown(studio, folder))


def test_nothing_is_sent_while_nothing_changes(studio, folder):
    write_report(report_on(folder), report_file(str(folder), studio.store))
    key, _ = render(studio, str(folder), "ohwx", 512, ())
    assert render(studio, str(folder), "ohwx", 512, key)[1][0] == {"__type__": "update"} and render(studio, str(folder), "ohwx", 768, key)[0] != key


def test_spaces_around_the_trigger_and_an_empty_resolution_change_nothing(folder):
    assert changed_since(report_on(folder), files_state(folder), " ohwx ", None) == ""


def test_a_report_of_another_folder_of_that_name_is_none(studio, folder, tmp_path):
    write_report(report_on(tmp_path / "elsewhere" / "anna"), report_file(str(folder), studio.store))
    assert kept_report(str(folder), studio.store) == (None, 0.0) and "not analyzed yet" in readiness(None, "") and "Not analyzed yet" in shown(studio, folder)[0]
    write_report(report_on(folder, folder=os.path.relpath(folder)), report_file(str(folder), studio.store))
    assert kept_report(str(folder), studio.store)[0].photo_count == 2
