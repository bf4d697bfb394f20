"""The report as HTML: everything in it is escaped, and the file needs nothing else."""

import re

from core.analyzer.report import AnalysisReport, BucketRow, Coverage, Finding
from core.analyzer.report_html import report_body, report_page
from core.dataset.folder import open_dataset


def report(*findings, **changes):
    return AnalysisReport(folder="data/<anna>", photo_count=18, trigger_word="ohwx", resolution=512, findings=findings, buckets=(BucketRow(width=512, height=512, photos=("a", "<b>")),), **changes)


def finding(check, severity, *photos, **changes):
    return Finding(check=check, severity=severity, what=f"{check} <i>", fix="Do & go.", photos=photos, **changes)


def test_the_three_gravest_checks_come_first_each_once():
    many = [finding("blur", "warning", "a"), finding("blur", "warning", "b"), finding("angles", "warning"), finding("soft", "note", "c"), finding("trigger", "error", "d"), finding("crop", "warning", "e", "f", "g")]
    ordered = sorted(many, key=lambda one: ("error", "warning", "note").index(one.severity))
    assert [one.check for one in report(*ordered).top_fixes] == ["trigger", "angles", "crop"]


def test_of_equally_grave_checks_those_the_report_lists_first_come_first():
    ordered = [finding(check, "error", "a") for check in ("trigger", "different person", "overexposed", "resolution")]
    assert [one.check for one in report(*ordered).top_fixes] == ["trigger", "different person", "overexposed"]


def test_every_text_is_escaped_and_photos_without_an_address_have_no_picture():
    body = report_body(report(finding("blur", "warning", "<p>", "gone", value=0.61, threshold=0.55)), lambda name: f"x?{name}&" if name != "gone" else None)
    assert "<i>" not in body.replace("<i style", "") and "&lt;i&gt;" in body and 'src="x?&lt;p&gt;&amp;"' in body and "<b>," not in body
    assert body.count("<img") == 1 and "Blur 61%; sharp faces stay below 55%." in body


def test_the_coverage_picture_counts_and_marks_what_is_missing():
    coverage = Coverage(cells={"front view, portrait": 4, "profile view left, full body": 1}, lightness=(40.0, 71.0), side=(0.3, -0.4), warmth=(15.0, 35.0))
    body = report_body(report(coverage=coverage), lambda name: None)
    assert body.count("class='none'>none<") == 13 and ">4<" in body and "brightness: 2 photos from 40 to 71" in body
    assert [int(share) for share in re.findall(r"<i style='left: calc\((\d+)%", body)] == [40, 71, 0, 100, 50, 100]  # light from the left stands left
    assert "coverage" not in report_body(report(), lambda name: None)


def test_the_file_holds_its_pictures_and_asks_for_nothing(photos):
    page = report_page(report(finding("blur", "warning", "photo-01", "nobody")), open_dataset(photos))
    assert page.count("data:image/webp;base64,") == 1 and "http" not in page and "<script" not in page and "&lt;anna&gt;" in page


def test_many_faults_of_one_kind_are_folded_and_none_is_lost():
    blurred = [finding("blur", "warning", f"photo-{number}") for number in range(9)]
    body = report_body(report(finding("trigger", "error", "x"), *blurred), lambda name: f"address-of-{name}")
    before, fold = body.split("<details>")
    assert "6 more of this kind" in fold and "address-of-x" in before and "address-of-photo-2" in before
    assert all(body.count(f"address-of-photo-{number}") == 1 for number in range(9))
