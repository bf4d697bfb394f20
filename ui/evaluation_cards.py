"""HTML of an evaluation: the recommendation, the comparison of twins, the measures, downloads and the history. Every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from core.evaluation.compare import Evaluation, headline_words
from core.evaluation.grid import FINAL, SHEET_FILE, strength_label
from core.evaluation.recommend import UNKNOWN_STEP, Candidate, Recommendation
from core.evaluation.sheet import measures_table
from core.evaluation.twin import TwinVerdict
from core.runs import CARD_GRID_SUFFIX
from ui.texts import evaluation as texts


def recommendation_card(evaluation: Evaluation | None) -> str:
    """Empty where nothing was recommended or compared."""
    if evaluation is None:
        return ""
    if evaluation.twins:
        return _twin_card(evaluation.twins)
    if evaluation.choice is None:
        return ""
    found = evaluation.choice.recommendation
    if found.chosen is None:
        return f'<div class="verdict fix choice" role="status"><b>{texts.NONE_GOOD}</b><p>{escape(found.why)}</p>{_candidate_words(texts.NEAREST, found.least_bad)}</div>'
    file = evaluation.choice.file
    links = f'<a href="lora/{quote(file)}" download="{escape(file, quote=True)}">{texts.DOWNLOAD}</a><a href="card/{quote(file)}" download>{texts.CARD}</a>'
    if evaluation.grid.request.card_grid:
        name = escape(file.removesuffix(".safetensors") + CARD_GRID_SUFFIX, quote=True)
        links += f'<a href="pictures/evaluations/{quote(evaluation.grid.name)}/{SHEET_FILE}" download="{name}">{texts.CARD_GRID}</a>'
    head = f"<b>{_name(found.chosen)}</b><span>{texts.LIKENESS.format(mean=found.chosen.likeness, error=found.chosen.likeness_error)}</span><span>{texts.SCORE.format(mean=found.chosen.score, error=found.chosen.error)}</span>"
    return f'<div class="verdict ready choice" role="status">{head}<p>{escape(found.why)}</p>{_runner_up(found)}<p class="links">{links}</p></div>'


def measures_card(evaluation: Evaluation | None) -> str:
    """All measures of all columns; a measure's evidence is its cell's title."""
    if evaluation is None or evaluation.scores is None:
        return ""
    table = measures_table(evaluation.scores)
    legend = " ".join(f'<i class="{kind}"></i>{words}' for kind, words in texts.LEGEND.items())
    return f'<details class="measures-fold" open><summary>{texts.MEASURED}</summary>{table}<p class="legend">{legend}</p></details>' if table else ""


def copied_photos(evaluation: Evaluation | None, address_of: dict[str, str]) -> str:
    """The photos that are being given back, beside the words; empty where none is."""
    if evaluation is None or evaluation.scores is None:
        return ""
    names = sorted({score.copy_of for score in evaluation.scores.scores if score.copy_of})
    shown = "".join(f'<figure><img loading="lazy" src="{escape(address_of[name], quote=True)}" alt=""><figcaption>{escape(name)}</figcaption></figure>' for name in names[:6] if name in address_of)
    return f'<div class="finding warning"><div class="words"><span class="severity">{texts.COPIED}</span><b>{texts.COPIES.format(names=escape(", ".join(names[:6])))}</b><p>{texts.COPIES_FIX}</p></div><div class="who">{shown}</div></div>' if names else ""


def history_table(evaluations: Sequence[Evaluation]) -> str:
    """Newest first."""
    rows = "".join(f"<tr><td>{escape(one.grid.name)}</td><td>{escape(one.lora)}</td><td>{escape(headline_words(one))}</td></tr>" for one in evaluations)
    heads = "".join(f"<th>{head}</th>" for head in texts.HISTORY_HEADS)
    return f"<div class='scroll'><table class='plain'><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>" if rows else ""


def _twin_card(verdict: TwinVerdict) -> str:
    return f'<div class="verdict choice" role="status"><b>{texts.TWIN_QUESTION}</b><p>{escape(verdict.sentence)}</p></div>'


def _runner_up(found: Recommendation) -> str:
    if found.runner_up is None:
        return f"<p>{texts.NO_OTHER}</p>"
    margin = (texts.BEHIND if (found.margin or 0) >= 0 else texts.AHEAD).format(margin=abs(found.margin or 0))
    return f"<p>{texts.RUNNER_UP.format(name=_name(found.runner_up), likeness=found.runner_up.likeness, margin=margin)}</p>"


def _candidate_words(start: str, candidate: Candidate | None) -> str:
    return f"<p>{start}: {_name(candidate)}, {texts.LIKENESS.format(mean=candidate.likeness, error=candidate.likeness_error)}.</p>" if candidate else ""


def _name(candidate: Candidate) -> str:
    where = texts.AS_TRAINED if candidate.step == UNKNOWN_STEP else texts.STEP.format(step=candidate.step) + (f" {texts.THE_LAST}" if candidate.source == FINAL else "")
    return texts.AT.format(where=where, strength=strength_label(candidate.strength))
