"""A report as HTML: the body the page shows, and the same as one file that needs nothing else. Every text is escaped."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Sequence
from html import escape

from core.analyzer.report import SEVERITIES, AnalysisReport, Coverage, Finding, number_in_words
from core.dataset.folder import Dataset
from core.dataset.imaging import thumbnail
from core.errors import UserError

# Columns of the coverage picture as a person turns from one side to the other, rows from near to far.
TURNS = ("profile view left", "three-quarter view left", "front view", "three-quarter view right", "profile view right")
DISTANCES = ("portrait", "half body", "full body")
THUMBNAIL_SIDE, MOST_THUMBNAILS, MOST_OF_ONE_KIND, MOST_NAMES = 160, 6, 3, 8
MOST_SHADE = 0.75
# Ends of the strips, a little beyond what varied sets have: side from face_checks, b* of faces from blue shade to lamplight.
MOST_SIDE, COLDEST, WARMEST = 0.3, -5.0, 35.0
# Remedies a person decides on photo by photo: of two alike, one stays.
EACH_ITS_OWN = frozenset({"exclude", "crop"})
KINDS = {"ready": "ready", "train for a test": "test", "fix first": "fix"}
# Names of colours are those of the page's theme; the file sets them itself.
REPORT_CSS = """
.verdict { display: flex; flex-wrap: wrap; gap: .2rem .9rem; align-items: baseline; border: 1px solid var(--border-color-primary); border-left: 5px solid var(--primary-600); border-radius: 10px; padding: .8rem 1rem; background: var(--background-fill-primary); }
.verdict.fix { border-left-color: #b3392c; } .verdict.test { border-left-color: #c28a1c; }
.verdict b { font-size: 1.1rem; } .verdict ol { flex-basis: 100%; margin: .4rem 0 0; padding-left: 1.2rem; } .verdict li { margin: .3rem 0; }
.report-parts { display: flex; flex-wrap: wrap; gap: 12px; margin: 12px 0; } .report-parts > section { flex: 1 1 300px; min-width: 0; border: 1px solid var(--border-color-primary); border-radius: 10px; padding: .7rem 1rem 1rem; background: var(--background-fill-primary); }
.report-parts h4 { margin: 0 0 .5rem; } .report-parts p { margin: .5rem 0 0; font-size: .84rem; color: var(--body-text-color-subdued); }
table.coverage { border-collapse: separate !important; border-spacing: 4px; width: 100%; table-layout: fixed; margin: 0; border: 0 !important; }
table.coverage tr { border: 0 !important; background: none !important; } table.coverage th { font-weight: 500; font-size: .76rem; padding: 0 2px; border: 0 !important; color: var(--body-text-color-subdued); text-align: center; }
table.coverage td { text-align: center; border: 1px solid var(--border-color-primary) !important; border-radius: 7px; height: 2.4rem; padding: 0; font-variant-numeric: tabular-nums; } table.coverage td.none { border-style: dashed !important; color: var(--body-text-color-subdued); font-size: .8rem; }
table.coverage thead th:first-child { width: 5rem; } table.coverage th[scope=row] { text-align: left; }
@media (max-width: 640px) { table.coverage { border-spacing: 3px; } table.coverage th { font-size: .68rem; line-height: 1.25; padding: 0; } table.coverage thead th:first-child { width: 3rem; } .report-parts > section { padding: .7rem .6rem .8rem; } }
.light-strip { position: relative; height: 20px; border-radius: 6px; } .light-strip i { position: absolute; top: 2px; width: 4px; height: 16px; border-radius: 2px; background: #e0592a; box-shadow: 0 0 0 1px #fff; }
.light-strip.brightness { background: linear-gradient(90deg, #1b1b1b, #f4f1ea); } .light-strip.side { background: linear-gradient(90deg, #f1ede2, #8a857a, #f1ede2); } .light-strip.warmth { background: linear-gradient(90deg, #9fb6d8, #ece8df, #e3b271); }
.light-ends { display: flex; justify-content: space-between; margin: 2px 0 .55rem; font-size: .78rem; color: var(--body-text-color-subdued); }
.findings { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr)); grid-auto-flow: dense; gap: 10px; margin: 12px 0; } .findings > .wide, .findings > details { grid-column: 1 / -1; }
.finding { display: flex; flex-wrap: wrap; gap: 10px 14px; padding: .7rem .8rem; border: 1px solid var(--border-color-primary); border-radius: 9px; background: var(--background-fill-primary); } .finding .words { flex: 1 1 220px; min-width: 0; overflow-wrap: anywhere; } .finding.wide .words { flex: 1 1 260px; max-width: 30rem; }
h4.buckets { margin: 1.6rem 0 .4rem; }
.findings summary { cursor: pointer; padding: .3rem .2rem; color: var(--body-text-color-subdued); }
.finding p { margin: .2rem 0 0; color: var(--body-text-color-subdued); } .finding small { display: block; margin-top: .2rem; font-size: .82rem; color: var(--body-text-color-subdued); }
.finding .who { flex: 0 1 auto; display: flex; flex-wrap: wrap; align-items: flex-start; gap: 8px; } .finding .who figure { margin: 0; width: 112px; } .finding .who img { width: 112px; height: 112px; object-fit: cover; border-radius: 6px; display: block; margin: 0; } .finding .who figcaption { font-size: .76rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; color: var(--body-text-color-subdued); }
.severity { display: inline-block; margin-right: .5rem; padding: 0 .5rem; line-height: 1.45rem; border-radius: 6px; font-size: .78rem; background: #e3e7ea; color: #33414c; }
.finding.error .severity { background: #f6d7d2; color: #7d1f14; } .finding.warning .severity { background: #f7e3c4; color: #6b4206; }
.readiness { margin: 0 0 10px; padding: .5rem .8rem; border-left: 4px solid var(--primary-600); font-size: .88rem; } .readiness.test, .readiness.old { border-color: #c28a1c; } .readiness.fix { border-color: #b3392c; }
table.plain td.size { white-space: nowrap; } table.plain td.names { min-width: 9rem; } @media (max-width: 640px) { table.plain.buckets :is(th, td) { padding: 4px 5px; font-size: .8rem; } table.plain td.names { min-width: 6rem; } }
"""
FILE_CSS = """
:root { --border-color-primary: #dcd9d2; --primary-600: #2f6f5e; --background-fill-primary: #fff; --body-text-color-subdued: #6a675f; }
body { font: 16px/1.5 system-ui, sans-serif; color: #26241f; background: #f8f7f3; max-width: 1060px; margin: 2rem auto; padding: 0 1rem; }
table.plain { border-collapse: collapse; width: 100%; } table.plain th, table.plain td { text-align: left; padding: 4px 9px; border-bottom: 1px solid var(--border-color-primary); }
"""


# HTML of the buttons that do something about a finding, given its number, with these of its photos.
Buttons = Callable[[int, Finding, tuple[str, ...]], str]


def no_buttons(number: int, finding: Finding, photos: tuple[str, ...]) -> str:
    """For a report that is read where nothing can be done."""
    return ""


def report_body(report: AnalysisReport, address_of: Callable[[str], str | None], buttons: Buttons = no_buttons) -> str:
    """`address_of` gives the address of a photo's thumbnail by the photo's name, None for a file that is no readable photo."""
    kinds = (list(alike) for severity in SEVERITIES for _, alike in itertools.groupby(report.of_severity(severity), key=lambda finding: finding.check))
    findings = "".join(_of_one_kind([_finding(report, finding, address_of, buttons) for finding in alike]) for alike in kinds)
    rows = "".join(f"<tr><td class='size'>{row.width} x {row.height}</td><td>{len(row.photos)}</td><td>{row.loss:.0%}</td><td class='names'>{escape(_some(row.photos))}</td></tr>" for row in report.buckets)
    return (
        f"{_verdict(report, buttons)}{_coverage(report.coverage)}"
        f'<div class="findings">{findings}</div>'
        f'<h4 class="buckets">Buckets at {report.resolution} px</h4><div class="scroll"><table class="plain buckets"><thead><tr><th>Size</th><th>Photos</th><th>Cut away, up to</th><th>Which</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def report_page(report: AnalysisReport, dataset: Dataset) -> str:
    """One file with its pictures in it."""
    samples = {sample.name: sample for sample in dataset.samples}

    def address_of(name: str) -> str | None:
        try:
            return f"data:image/webp;base64,{base64.b64encode(thumbnail(samples[name].image, THUMBNAIL_SIDE)).decode()}"
        except (KeyError, UserError):
            return None

    title = f"Dataset report: {escape(report.folder)}"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title><style>{FILE_CSS}{REPORT_CSS}</style>'
    return f'<!DOCTYPE html><html lang="en"><head>{head}</head><body><h1>{title}</h1>{report_body(report, address_of)}</body></html>'


def _some(names: Sequence[str]) -> str:
    """The report is about findings: of a bucket a few names will do."""
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _verdict(report: AnalysisReport, buttons: Buttons) -> str:
    fixes = "".join(f"<li>{escape(finding.what)} {escape(finding.fix)} {_fix(report, finding, buttons)}</li>" for finding in report.top_fixes)
    return f'<div class="verdict {KINDS[report.verdict]}" role="status"><b>{escape(report.summary)}</b>{f"<ol>{fixes}</ol>" if fixes else ""}</div>'


def _fix(report: AnalysisReport, finding: Finding, buttons: Buttons) -> str:
    """The button itself, or the way to where each photo has its own."""
    number = report.findings.index(finding)
    if finding.remedy in EACH_ITS_OWN and len(finding.photos) > 1:
        return f'<a href="#finding-{number}">Choose which</a>' if buttons(number, finding, finding.photos[:1]) else ""
    return buttons(number, finding, finding.photos)


def _coverage(coverage: Coverage) -> str:
    """Empty where no face was read."""
    if not coverage.cells:
        return ""
    most = max(coverage.cells.values())
    head = "".join(f"<th scope='col'>{turn.replace(' view', '')}</th>" for turn in TURNS)
    rows = "".join(f"<tr><th scope='row'>{distance}</th>{''.join(_cell(coverage.cells.get(f'{turn}, {distance}', 0), most) for turn in TURNS)}</tr>" for distance in DISTANCES)
    turns = f"<section><h4>Where the head looks</h4><table class='coverage'><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table><p>Photos by head angle and framing; dashed is missing. Left and right are the picture's sides.</p></section>"
    return f'<div class="report-parts">{turns}{_light(coverage)}</div>'


def _cell(count: int, most: int) -> str:
    if not count:
        return "<td class='none'>none</td>"
    return f"<td style='background: rgba(47, 111, 94, {MOST_SHADE * count / most:.2f})'>{count}</td>"


def _light(coverage: Coverage) -> str:
    if not (coverage.lightness and coverage.side and coverage.warmth):
        return ""
    strips = "".join(_strip(*strip) for strip in (
        ("brightness", coverage.lightness, 0.0, 100.0, "dark", "bright"),
        ("side", coverage.side, -MOST_SIDE, MOST_SIDE, "light from the left", "from the right"),
        ("warmth", coverage.warmth, COLDEST, WARMEST, "cold", "warm"),
    ))  # fmt: skip
    return f"<section><h4>Light on the face</h4>{strips}<p>One mark per photo. Marks spread out are good: then light is not taken for part of the person.</p></section>"


def _strip(name: str, values: Sequence[float], least: float, most: float, left: str, right: str) -> str:
    """Values beyond the ends stand at the ends. `side` is positive where the left is lighter, so that it runs the other way."""
    shares = [min(max((value - least) / (most - least), 0.0), 1.0) for value in values]
    ticks = "".join(f"<i style='left: calc({100 * (1 - share if name == 'side' else share):.0f}% - 2px)'></i>" for share in shares)
    spoken = f"{name}: {len(values)} photos from {min(values):g} to {max(values):g}"
    return f"<div class='light-strip {name}' role='img' aria-label='{spoken}'>{ticks}</div><div class='light-ends'><span>{left}</span><span>{right}</span></div>"


def _of_one_kind(shown: list[str]) -> str:
    """Eighteen photos with one fault are a few cards, and the rest in a fold."""
    if len(shown) <= MOST_OF_ONE_KIND:
        return "".join(shown)
    rest = "".join(shown[MOST_OF_ONE_KIND:])
    return f'{"".join(shown[:MOST_OF_ONE_KIND])}<details><summary>{len(shown) - MOST_OF_ONE_KIND} more of this kind</summary><div class="findings">{rest}</div></details>'


def _finding(report: AnalysisReport, finding: Finding, address_of: Callable[[str], str | None], buttons: Buttons) -> str:
    number = report.findings.index(finding)
    measured = f"<small>{escape(words)}</small>" if (words := number_in_words(finding)) else ""
    each = finding.remedy in EACH_ITS_OWN
    shown = "".join(_picture(name, address, buttons(number, finding, (name,)) if each else "") for name in finding.photos[:MOST_THUMBNAILS] if (address := address_of(name)))
    more = f"<small>and {len(finding.photos) - MOST_THUMBNAILS} more</small>" if len(finding.photos) > MOST_THUMBNAILS else ""
    who = f'<div class="who">{shown}{more}</div>' if shown else ""
    together = "" if each else buttons(number, finding, finding.photos)
    words = f'<div class="words"><span class="severity">{finding.severity}</span><b>{escape(finding.what)}</b><p>{escape(finding.fix)}</p>{measured}{together}</div>'
    width, parts = (" wide", f"{words}{who}") if shown.count("<figure>") > 1 else ("", f"{who}{words}")
    return f'<div class="finding {finding.severity}{width}" id="finding-{number}">{parts}</div>'


def _picture(name: str, address: str, button: str) -> str:
    return f'<figure><img loading="lazy" src="{escape(address, quote=True)}" alt="{escape(name, quote=True)}"><figcaption>{escape(name)}</figcaption>{button}</figure>'
