"""HTML of pictures: thumbnails and the strength grid. Every text is escaped; every address is one of our own routes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote, urlencode

from core.dataset.folder import Sample
from core.evaluation.grid import StrengthGrid, strength_label
from core.evaluation.scores import GridScores
from core.evaluation.sheet import cell_captions
from ui.texts import evaluation as texts

NOTHING = '<div class="empty">{}</div>'


def table_width(columns: int) -> str:
    """Pictures are neither tiny on a phone, where the table scrolls, nor huge while there are few of them."""
    return f"min-width:{88 * columns}px;max-width:{230 * columns}px"


def nothing_yet(text: str, points: Sequence[str] = ()) -> str:
    listed = "".join(f"<li>{escape(point)}</li>" for point in points)
    return NOTHING.format(escape(text) + (f"<br><ul>{listed}</ul>" if listed else ""))


def photo_address(folder: str, sample: Sample, side: int) -> str:
    """Relative, so that it holds behind any proxy; the time in it makes a changed photo a new address."""
    query = urlencode({"folder": folder, "name": sample.name, "side": side, "v": sample.image.stat().st_mtime_ns})
    return f"photos?{query}"


def strength_grid(grid: StrengthGrid | None, scores: GridScores | None = None) -> str:
    """A row per prompt, seed and checkpoint, a column per strength, likeness under each cell; cells not drawn yet are blank. The page's script opens and compares them."""
    if grid is None:
        return nothing_yet(texts.EMPTY_GRID)
    request, captions = grid.request, cell_captions(scores)
    head = "".join(f"<th scope='col'>{strength_label(strength)}</th>" for strength in request.strengths)
    rows = []
    for number, row in enumerate(request.rows):
        words = ": ".join(filter(None, (grid.row_label(number), request.prompts[row.prompt])))
        cells = [_grid_cell(grid, number, strength, words, captions.get((row.prompt, row.seed, row.source, strength), "")) for strength in request.strengths]
        rows.append(f"<tr><td class='prompt' colspan='{len(request.strengths)}'><span>{escape(words)}</span></td></tr><tr>{''.join(cells)}</tr>")
    table = f'<table class="grid" style="{table_width(len(request.strengths))}"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return f'<div class="scroll">{table}</div>'


def _grid_cell(grid: StrengthGrid, row: int, strength: float, words: str, caption: str) -> str:
    cell = grid.cell(row, strength)
    if cell is None:
        return "<td><div class='blank'></div></td>"
    address = f"pictures/evaluations/{quote(grid.name)}/{quote(cell.file)}"
    label = escape(texts.CELL.format(words=words, strength=strength_label(strength)) + (texts.CELL_LIKENESS.format(likeness=caption) if caption else ""), quote=True)
    return f"<td><a class='cell' href='{address}' target='_blank' data-label='{label}'><img loading='lazy' src='{address}' alt='{label}'></a><small>{escape(caption)}</small></td>"
