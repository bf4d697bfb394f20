"""HTML of an evaluation: the recommendation, the comparison of twins, the measures, downloads and the history. Every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from core.evaluation.compare import Evaluation, headline_words
from core.evaluation.grid import FINAL, strength_label
from core.evaluation.recommend import UNKNOWN_STEP, Candidate, Recommendation
from core.evaluation.sheet import measures_table
from core.evaluation.twin import TwinVerdict


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
        return f'<div class="verdict fix choice" role="status"><b>None is good enough</b><p>{escape(found.why)}</p>{_candidate_words("Nearest", found.least_bad)}</div>'
    file = evaluation.choice.file
    links = f'<a href="lora/{quote(file)}" download="{escape(file, quote=True)}">Download the LoRA</a><a href="card/{quote(file)}" download>Model card</a>'
    head = f"<b>{_name(found.chosen)}</b><span>likeness {found.chosen.likeness:.2f} &plusmn; {found.chosen.likeness_error:.2f}</span><span>score {found.chosen.score:.2f} &plusmn; {found.chosen.error:.2f}</span>"
    return f'<div class="verdict ready choice" role="status">{head}<p>{escape(found.why)}</p>{_runner_up(found)}<p class="links">{links}</p></div>'


def measures_card(evaluation: Evaluation | None) -> str:
    """All measures of all columns; a measure's evidence is its cell's title."""
    if evaluation is None or evaluation.scores is None:
        return ""
    table = measures_table(evaluation.scores)
    legend = '<p class="legend"><i class="good"></i>good <i class="watch"></i>look at it <i class="bad"></i>a fault</p>'
    return f'<details class="measures-fold" open><summary>What was measured</summary>{table}{legend}</details>' if table else ""


def copied_photos(evaluation: Evaluation | None, address_of: dict[str, str]) -> str:
    """The photos that are being given back, beside the words; empty where none is."""
    if evaluation is None or evaluation.scores is None:
        return ""
    names = sorted({score.copy_of for score in evaluation.scores.scores if score.copy_of})
    shown = "".join(f'<figure><img loading="lazy" src="{escape(address_of[name], quote=True)}" alt=""><figcaption>{escape(name)}</figcaption></figure>' for name in names[:6] if name in address_of)
    return f'<div class="finding warning"><span class="severity">copied</span><div><b>Pictures repeat {escape(", ".join(names[:6]))}.</b><p>Take fewer steps or a lower strength, and add photos.</p></div><div class="who">{shown}</div></div>' if names else ""


def history_table(evaluations: Sequence[Evaluation]) -> str:
    """Newest first."""
    rows = "".join(f"<tr><td>{escape(one.grid.name)}</td><td>{escape(one.lora)}</td><td>{escape(headline_words(one))}</td></tr>" for one in evaluations)
    return f"<div class='scroll'><table class='plain'><thead><tr><th>Evaluation</th><th>LoRA</th><th>Result</th></tr></thead><tbody>{rows}</tbody></table></div>" if rows else ""


def _twin_card(verdict: TwinVerdict) -> str:
    return f'<div class="verdict choice" role="status"><b>Did training the text encoder help?</b><p>{escape(verdict.sentence)}</p></div>'


def _runner_up(found: Recommendation) -> str:
    if found.runner_up is None:
        return "<p>No other passes all gates.</p>"
    margin = f", {abs(found.margin or 0):.2f} {'behind' if (found.margin or 0) >= 0 else 'ahead, within its noise'}"
    return f"<p>Runner-up: {_name(found.runner_up)}, likeness {found.runner_up.likeness:.2f}{margin}.</p>"


def _candidate_words(start: str, candidate: Candidate | None) -> str:
    return f"<p>{start}: {_name(candidate)}, likeness {candidate.likeness:.2f} &plusmn; {candidate.likeness_error:.2f}.</p>" if candidate else ""


def _name(candidate: Candidate) -> str:
    where = "As trained" if candidate.step == UNKNOWN_STEP else f"Step {candidate.step}" + (" (the last)" if candidate.source == FINAL else "")
    return f"{where} at {strength_label(candidate.strength)}"
