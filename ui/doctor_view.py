"""The doctor in the page: what is wrong with a run, by which numbers, the photos first, then a button that prepares the changed settings in the Training tab."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Literal

import gradio as gr
from pydantic import BaseModel, ConfigDict, ValidationError

from core.doctor.diagnose import CANONICAL_RULE, summary
from core.doctor.diagnosis import Change, Diagnosis, changed, shown
from core.errors import Refused, UserError
from core.runs import Run
from core.tasks import diagnoses_of, doctors_stamp
from ui.messages import QUIET, as_html, shows_errors
from ui.pictures import nothing_yet
from ui.settings_form import SettingsForm
from ui.studio import Studio
from ui.texts import analyzer as texts
from ui.training_tab import TrainingTab

STATE_CLASS = {"found": "fix", "not measured": "unknown", "not found": "ready"}
MOST_FINDINGS = 6


class Pressed(BaseModel):
    """Which button: of which run's symptom, and the tab it opens."""

    model_config = ConfigDict(frozen=True)

    run: str
    symptom: str
    opens: Literal["training", "analyzer"]


class DoctorView:
    """The components that `render` fills, in the order of `outputs`."""

    def __init__(self, studio: Studio, form: SettingsForm) -> None:
        self.studio = studio
        self.form = form
        gr.Markdown(f"### {texts.DOCTOR}\n{CANONICAL_RULE}", elem_id="doctor-head")
        self.run = gr.Dropdown(studio.store.names(), label=texts.DOCTOR_RUN, info=texts.DOCTOR_RUN_HELP, interactive=True, elem_id="doctor-run")
        self.report = gr.HTML(elem_id="doctor")
        self.pressed = gr.Textbox(visible="hidden", elem_id="doctor-pressed")

    @property
    def outputs(self) -> list[gr.components.Component]:
        return [self.run, self.report]

    def wire(self, tabs: gr.Tabs, training: TrainingTab) -> None:
        training.forecast_after(self.pressed.change(shows_errors(self._open), self.pressed, [tabs, training.prepared, *self.form.inputs], **QUIET))

    def _open(self, text: str) -> list[Any]:
        """The tab, what is shown above Start, and the form: the run's own settings with the changes. Nothing is started."""
        try:
            pressed = Pressed.model_validate_json(text)
        except ValidationError:
            raise Refused("This button could not be read.", "", "Load the page anew.") from None
        run = self.studio.store.load(pressed.run)
        if pressed.opens == "analyzer":
            return [gr.Tabs(selected="analyzer"), gr.skip(), *self.form.show_only("dataset.folder", run.settings.dataset.folder)]
        diagnosis = next((found for found in diagnoses_of(run, self.studio.store) if found.symptom == pressed.symptom and found.changes), None)
        if diagnosis is None:
            raise Refused(f"There is nothing to change for '{pressed.symptom[:60]}'.", pressed.run, "Load the page anew: the run has gone on since.")
        settings = changed(run.settings, diagnosis.changes)
        settings = settings.model_copy(update={"run": settings.run.model_copy(update={"name": self.studio.store.free_name(run.name)})})
        return [gr.Tabs(selected="training"), prepared_html(run, diagnosis), *self.form.show(settings)]

    def render(self, chosen: str | None, seen: tuple) -> tuple[tuple, list[Any]]:
        """A key that changes with what is shown, and a value for each of `outputs`; nothing is sent when the key is `seen`."""
        names = self.studio.store.names()
        name = chosen if chosen in names else next(iter(names), None)
        if name is None:
            return ("none",), [gr.update(choices=[], value=None), nothing_yet(texts.NO_RUN)] if seen != ("none",) else [gr.skip()] * 2
        try:
            run = self.studio.store.load(name)
            key = (name, tuple(names), doctors_stamp(run, self.studio.store))
            if key == seen:
                return key, [gr.skip()] * 2
            shown_html = doctor_html(run, diagnoses_of(run, self.studio.store))
        except UserError as error:
            key, shown_html = (name, tuple(names), error.what), f'<div class="verdict fix">{as_html(error)}</div>'
        return key, [gr.update(choices=names, value=name), shown_html] if key != seen else [gr.skip()] * 2


def doctor_html(run: Run, diagnoses: Sequence[Diagnosis]) -> str:
    verdict = "fix" if any(diagnosis.seen.state == "found" for diagnosis in diagnoses) else "ready"
    return f'<div class="verdict {verdict}"><b>{escape(summary(list(diagnoses)))}</b></div><div class="symptoms">{"".join(_symptom_html(run, diagnosis) for diagnosis in diagnoses)}</div>'


def prepared_html(run: Run, diagnosis: Diagnosis) -> str:
    """The difference, above Start."""
    return (
        f'<div class="prepared" role="status"><b>{texts.PREPARED.format(symptom=escape(diagnosis.symptom.lower()), run=escape(run.name))}</b>{_changes_html(diagnosis.changes)}'
        f"<p>{escape(_photos_words(diagnosis))} {texts.PREPARED_NEXT}</p></div>"
    )


def _symptom_html(run: Run, diagnosis: Diagnosis) -> str:
    seen = diagnosis.seen
    evidence = "".join(f"<li>{escape(sentence)}</li>" for sentence in seen.evidence)
    evidence = f"<ul>{evidence}</ul>" if evidence else ""
    missing = f'<p class="how">{escape(seen.to_measure)}</p>' if seen.to_measure else ""
    body = f"{evidence}{missing}{_treatment_html(run, diagnosis) if seen.state == 'found' else ''}"
    return f'<div class="symptom {STATE_CLASS[seen.state]}"><h4>{escape(diagnosis.symptom)} <span>{seen.state}</span></h4>{body}</div>'


def _treatment_html(run: Run, diagnosis: Diagnosis) -> str:
    """Cause, photos, settings: in this order."""
    photos = "".join(f"<li>{escape(finding.what)} {escape(finding.fix)}</li>" for finding in diagnosis.photos[:MOST_FINDINGS])
    more = f"<li>{texts.MORE.format(count=len(diagnosis.photos) - MOST_FINDINGS)}</li>" if len(diagnosis.photos) > MOST_FINDINGS else ""
    photos = f"<ul>{photos}{more}</ul>" if photos else ""
    see_photos = _button(run, diagnosis, "analyzer", texts.SEE_PHOTOS) if diagnosis.photos or "not analyzed" in diagnosis.photos_note else ""
    prepare = _button(run, diagnosis, "training", texts.PREPARE) if diagnosis.changes else ""
    return (
        f"<p><b>{texts.CAUSE}</b> {escape(diagnosis.cause)}</p><p><b>{texts.FIRST}</b> {escape(diagnosis.photos_note)}</p>{photos}{see_photos}"
        f"<p><b>{texts.THEN}</b> {escape(diagnosis.advice)}</p>{_changes_html(diagnosis.changes)}{prepare}"
    )


def _changes_html(changes: Sequence[Change]) -> str:
    rows = "".join(f"<tr><th scope='row'>{escape(change.title)}</th><td><del>{escape(shown(change.old))}</del></td><td><ins>{escape(shown(change.new))}</ins></td></tr>" for change in changes)
    return f'<table class="changes"><tbody>{rows}</tbody></table>' if rows else ""


def _photos_words(diagnosis: Diagnosis) -> str:
    return texts.PHOTOS_FIRST.format(what=diagnosis.photos[0].what) if diagnosis.photos else texts.PHOTOS_NOTE.format(what=diagnosis.photos_note)


def _button(run: Run, diagnosis: Diagnosis, opens: str, words: str) -> str:
    spoken = f"{words}: {diagnosis.symptom}"
    data = f'data-opens="{opens}" data-run="{escape(run.name, quote=True)}" data-symptom="{escape(diagnosis.symptom, quote=True)}"'
    return f'<p><button type="button" class="remedy" {data} aria-label="{escape(spoken, quote=True)}">{words}</button></p>'
