"""The pictures and LoRA files the page shows: named by our own listings, images and safetensors only, never a given path."""

from __future__ import annotations

import functools
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse, PlainTextResponse

from core.analysis_tasks import kept_report
from core.analyzer.report_html import report_page
from core.dataset.folder import open_dataset, sample_named
from core.dataset.imaging import thumbnail
from core.errors import UserError
from core.evaluation.grid import HTML_FILE, evaluations_folder, grid_names
from core.tasks import lora_names
from ui.studio import Studio

PICTURE_TYPES = {".webp": "image/webp", ".png": "image/png"}
LARGEST_THUMBNAIL = 1024
UNREADABLE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"><rect width="100" height="100" fill="#eee"/><text x="50" y="54" font-family="sans-serif" font-size="11" text-anchor="middle" fill="#8a1f11">cannot be read</text></svg>'
KEEP = {"cache-control": "private, max-age=86400", "x-content-type-options": "nosniff"}
DOWNLOAD = {"x-content-type-options": "nosniff"}


def add_file_routes(app: FastAPI, studio: Studio) -> None:
    @app.get("/photos")
    def photo(folder: str, name: str, side: int = 256) -> Response:
        if folder not in studio.listing("dataset"):
            return _not_found()
        try:
            sample = sample_named(open_dataset(Path(folder)), name)
        except UserError:
            return _not_found()
        try:
            data = _thumbnail(sample.image, sample.image.stat().st_mtime_ns, max(32, min(side, LARGEST_THUMBNAIL)))
        except (UserError, OSError):
            return Response(UNREADABLE, media_type="image/svg+xml", headers=KEEP)
        return Response(data, media_type="image/webp", headers=KEEP)

    @app.get("/pictures/{path:path}")
    def picture(path: str) -> Response:
        file = picture_file(studio.store.root, path)
        return FileResponse(file, media_type=PICTURE_TYPES[file.suffix], headers=KEEP) if file else _not_found()

    @app.get("/report")
    def report(folder: str) -> Response:
        found = kept_report(folder, studio.store)[0] if folder in studio.listing("dataset") else None
        if found is None:
            return _not_found()
        try:
            page = report_page(found, open_dataset(Path(folder)))
        except UserError:
            return _not_found()
        disposition = f"attachment; filename*=UTF-8''{quote(Path(folder).name)}-report.html"
        return Response(page, media_type="text/html; charset=utf-8", headers={"content-disposition": disposition, "x-content-type-options": "nosniff"})

    @app.get("/sheet/{name}")
    def sheet(name: str) -> Response:
        file = evaluations_folder(studio.store.root) / name / HTML_FILE if name in grid_names(studio.store.root) else None
        return FileResponse(file, media_type="text/html; charset=utf-8", filename=f"{name}.html", headers=DOWNLOAD) if file and file.is_file() else _not_found()

    @app.get("/card/{name}")
    def card(name: str) -> Response:
        file = (studio.store.root / name).with_suffix(".md") if name in lora_names(studio.store) else None
        return FileResponse(file, media_type="text/markdown; charset=utf-8", filename=file.name, headers=DOWNLOAD) if file and file.is_file() else _not_found()

    @app.get("/lora/{name}")
    def lora(name: str) -> Response:
        if name not in lora_names(studio.store):
            return _not_found()
        return FileResponse(studio.store.root / name, media_type="application/octet-stream", filename=name, headers={"x-content-type-options": "nosniff"})


def picture_file(root: Path, path: str) -> Path | None:
    """samples/<run>/<picture> or evaluations/<grid>/<picture>, found by walking the listings; None for everything else."""
    parts = path.split("/")
    if len(parts) != 3 or parts[0] not in ("samples", "evaluations"):
        return None
    folder = root / parts[0]
    for wanted in parts[1:]:
        entry = next((e for e in folder.iterdir() if e.name == wanted), None) if folder.is_dir() else None
        if entry is None or entry.is_symlink():
            return None
        folder = entry
    return folder if folder.is_file() and folder.suffix in PICTURE_TYPES else None


@functools.lru_cache(maxsize=512)
def _thumbnail(image: Path, changed: int, side: int) -> bytes:
    """`changed` is part of the key, so that a replaced photo is drawn anew."""
    return thumbnail(image, side)


def forget_thumbnails() -> None:
    """Of photos that were deleted."""
    _thumbnail.cache_clear()


def _not_found() -> Response:
    return PlainTextResponse("not found", 404)
