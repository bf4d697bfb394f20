"""The Analyzer tab: one verdict, every finding with its photos and its fix, the table of buckets."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from core.analyzer.report import SEVERITIES, AnalysisReport, Finding, read_report
from core.errors import UserError
from core.events import RunEvent
from core.tasks import analysis_log, report_file, start_analysis
from ui.dataset_tab import QUIET
from ui.messages import as_html, shows_errors
from ui.pictures import nothing_yet
from ui.run_view import fold
from ui.settings_form import SettingsForm
from ui.studio import Studio


def wire(studio: Studio, form: SettingsForm, button: gr.Button) -> None:
    def start(*values: Any) -> None:
        start_analysis(studio.analyst, form.read(values), studio.store)

    button.click(shows_errors(start), form.inputs, None, **QUIET)


def render(studio: Studio, dataset_folder: str, seen: tuple) -> tuple[tuple, Any]:
    """A key that changes with what is shown, and the HTML; nothing is sent when the key is `seen`."""
    if dataset_folder not in studio.listing("dataset"):
        return (dataset_folder,), nothing_yet("Choose a dataset folder.")
    try:
        events = studio.reader.events(analysis_log(dataset_folder, studio.store))
    except UserError as error:
        return (dataset_folder, error.what), f'<div class="verdict fix">{as_html(error)}</div>'
    key = (dataset_folder, len(events), studio.analyst.is_busy())
    return key, gr.skip() if key == seen else _html(studio, dataset_folder, events)


def _html(studio: Studio, dataset_folder: str, events: list[RunEvent]) -> str:
    view = fold(events)
    if view.failure:
        return f'<div class="verdict fix"><b>{escape(view.failure.what)}</b><span>{escape(view.failure.fix)}</span></div>'
    if studio.analyst.is_busy():
        done = f" {view.phase_done} of {view.phase_total}" if view.phase_total else ""
        return f'<div class="verdict" role="status">{escape(view.phase)}{done}</div>'
    report = read_report(report_file(dataset_folder, studio.store))
    return report_html(report) if report else nothing_yet("Not analyzed yet. It takes seconds and changes nothing.")


def report_html(report: AnalysisReport) -> str:
    kind = {"ready": "ready", "train for a test": "test", "fix first": "fix"}[report.verdict]
    findings = "".join(_finding_html(finding) for severity in SEVERITIES for finding in report.of_severity(severity))
    rows = "".join(f"<tr><td>{row.width} x {row.height}</td><td>{len(row.photos)}</td><td>{escape(', '.join(row.photos))}</td></tr>" for row in report.buckets)
    return (
        f'<div class="verdict {kind}" role="status"><b>{escape(report.summary)}</b></div>'
        f'<div class="findings">{findings}</div>'
        f'<h4>Buckets at {report.resolution} px</h4><div class="scroll"><table class="plain"><thead><tr><th>Size</th><th>Photos</th><th>Which</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _finding_html(finding: Finding) -> str:
    number = f"<small>measured {finding.value:g}, threshold {finding.threshold:g}</small>" if finding.value is not None and finding.threshold is not None else ""
    return f'<div class="finding {finding.severity}"><span class="severity">{finding.severity}</span><div><b>{escape(finding.what)}</b><p>{escape(finding.fix)}</p>{number}</div></div>'
