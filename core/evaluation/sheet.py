"""The labelled sheet of a grid: one picture, and one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from html import escape
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from core.evaluation.grid import GridCell, StrengthGrid, source_label, strength_label
from core.evaluation.person_measures import counted_likeness
from core.evaluation.scores import GridScores
from core.evaluation.values import Measure

GAP, HEAD, LINE, FOOT = 12, 44, 34, 22
PAPER, INK, SOFT_INK, BLANK = (250, 250, 249), (40, 40, 40), (90, 90, 90), (225, 225, 223)
# Side of a picture in the HTML file: large enough to judge a face, small enough that 50 of them can be sent.
HTML_SIDE, HTML_QUALITY = 512, 82
PAGE_CSS = """
body { font: 15px/1.5 system-ui, sans-serif; color: #26241f; background: #f8f7f3; margin: 2rem auto; padding: 0 1rem; max-width: 1400px; }
table { border-collapse: separate; border-spacing: 6px; } th { font-weight: 600; } td { vertical-align: top; } td.prompt { padding-top: 8px; color: #6a675f; }
img { width: 100%; max-width: 320px; border-radius: 8px; display: block; } small { color: #6a675f; } .blank { width: 160px; aspect-ratio: 1; background: #e1e1df; border-radius: 8px; }
table.plain { border-collapse: collapse; margin: 1rem 0; } table.plain th, table.plain td { text-align: left; padding: 4px 10px; border-bottom: 1px solid #dcd9d2; }
"""


def draw_sheet(grid: StrengthGrid, folder: Path, scores: GridScores | None = None) -> Image.Image:
    """A row per row of the grid with its prompt above it, a column per strength, likeness under each cell; cells not yet drawn are left gray."""
    request = grid.request
    cell_width = max(160, min(512, request.width * max(1, 256 // request.width)))
    cell_height = round(cell_width * request.height / request.width)
    foot = FOOT if scores else 0
    columns, rows = len(request.strengths), request.rows
    sheet = Image.new("RGB", (GAP + columns * (cell_width + GAP), HEAD + len(rows) * (cell_height + LINE + foot + GAP) + GAP), PAPER)
    pen, captions = ImageDraw.Draw(sheet), cell_captions(scores)
    for column, strength in enumerate(request.strengths):
        x = GAP + column * (cell_width + GAP) + cell_width // 2
        pen.text((x, HEAD // 2), strength_label(strength), font=ImageFont.load_default(20), fill=INK, anchor="mm")
    for number, row in enumerate(rows):
        top = HEAD + number * (cell_height + LINE + foot + GAP)
        label = ": ".join(filter(None, (grid.row_label(number), request.prompts[row.prompt])))
        pen.text((GAP, top + LINE // 2), _shortened(pen, label, sheet.width - 2 * GAP), font=ImageFont.load_default(16), fill=SOFT_INK, anchor="lm")
        for column, strength in enumerate(request.strengths):
            left = GAP + column * (cell_width + GAP)
            _paste_cell(sheet, grid.cell(number, strength), folder, (left, top + LINE), (cell_width, cell_height))
            caption = captions.get((row.prompt, row.seed, row.source, strength), "")
            if caption:
                pen.text((left + cell_width // 2, top + LINE + cell_height + FOOT // 2), caption, font=ImageFont.load_default(14), fill=SOFT_INK, anchor="mm")
    return sheet


def sheet_page(grid: StrengthGrid, folder: Path, scores: GridScores | None = None) -> str:
    """The same as one HTML file, with its pictures in it and the measures below."""
    request, captions = grid.request, cell_captions(scores)
    head = "".join(f"<th scope='col'>{strength_label(strength)}</th>" for strength in request.strengths)
    rows = []
    for number, row in enumerate(request.rows):
        cells = [_html_cell(grid.cell(number, strength), folder, captions.get((row.prompt, row.seed, row.source, strength), "")) for strength in request.strengths]
        label = escape(": ".join(filter(None, (grid.row_label(number), request.prompts[row.prompt]))))
        rows.append(f"<tr><td class='prompt' colspan='{len(request.strengths)}'>{label}</td></tr><tr>{''.join(cells)}</tr>")
    title = f"Strength grid: {escape(grid.name)}"
    facts = f"{request.width} x {request.height}, {request.num_inference_steps} steps, guidance {request.guidance_scale:g}. Column 0 is the base model. Numbers are likeness: 0 a stranger, 1 as alike as the person's own photos."
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title><style>{PAGE_CSS}</style></head>'
        f"<body><h1>{title}</h1><p>{facts}</p><table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{measures_table(scores) if scores else ''}</body></html>"
    )


def measures_table(scores: GridScores) -> str:
    """Every measure of every source and strength, what was not measured with its reason."""
    found = scores.configurations
    if not found:
        return ""
    sources = len({configuration.source for configuration in found})
    head = "".join(f"<th scope='col'>{escape(_column_words(configuration.source, configuration.strength, sources))}</th>" for configuration in found)
    rows = []
    for number, measure in enumerate(found[0].measures):
        line = [configuration.measures[number] for configuration in found]
        if all(one.value is None for one in line):
            rows.append(f"<tr><th scope='row'>{escape(measure.name)}</th><td colspan='{len(found)}'>not measured: {escape(measure.reason)}</td></tr>")
        else:
            rows.append(f"<tr><th scope='row'>{escape(measure.name)}</th>{''.join(_value_cell(one) for one in line)}</tr>")
    notes = "".join(f"<p>{escape(note)}</p>" for note in (*scores.notes, *_photo_words(scores)))
    return f"<div class='scroll'><table class='plain measures'><thead><tr><th>Measure</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>{notes}"


def cell_captions(scores: GridScores | None) -> Mapping[tuple[int, int, str, float], str]:
    """What stands under each cell, by prompt, seed, source and strength."""
    found = {}
    for score in scores.scores if scores else ():
        value = counted_likeness(score)
        words = "no face" if score.has_face is False else f"{value:.2f}" if value is not None else ""
        copy = f"copy of {score.copy_of}" if score.copy_of else ""
        found[score.prompt, score.seed, score.source, score.strength] = ", ".join(filter(None, (words, copy)))
    return found


def _value_cell(measure: Measure) -> str:
    if measure.value is None:
        return f"<td class='none' title='{escape(measure.reason, quote=True)}'>not measured</td>"
    return f"<td class='{measure.verdict}' title='{escape(measure.detail, quote=True)}'>{measure.value:.2f}</td>"


def _column_words(source: str, strength: float, sources: int) -> str:
    return f"{source_label(source)} at {strength_label(strength)}" if sources > 1 else strength_label(strength)


def _photo_words(scores: GridScores) -> list[str]:
    words = [f"Compared with {scores.photos} photos of the person, read by {', '.join(scores.read_by)}."] if scores.photos and scores.read_by else []
    if scores.left_out:
        words.append("Left out of the comparison: " + ", ".join(f"{name} ({why})" for name, why in scores.left_out) + ".")
    return words


def _html_cell(cell: GridCell | None, folder: Path, caption: str) -> str:
    if cell is None:
        return "<td><div class='blank'></div></td>"
    with Image.open(folder / cell.file) as picture:
        small = picture.convert("RGB")
    small.thumbnail((HTML_SIDE, HTML_SIDE), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, "WEBP", quality=HTML_QUALITY)
    return f"<td><img src='data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}' alt=''><small>{escape(caption)}</small></td>"


def _paste_cell(sheet: Image.Image, cell: GridCell | None, folder: Path, corner: tuple[int, int], size: tuple[int, int]) -> None:
    if cell is None:
        sheet.paste(BLANK, (*corner, corner[0] + size[0], corner[1] + size[1]))
        return
    with Image.open(folder / cell.file) as picture:
        sheet.paste(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS), corner)


def _shortened(pen: ImageDraw.ImageDraw, text: str, width: int) -> str:
    font = ImageFont.load_default(16)
    if pen.textlength(text, font=font) <= width:
        return text
    while text and pen.textlength(text + "...", font=font) > width:
        text = text[:-1]
    return text + "..."
