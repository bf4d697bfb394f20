"""The row of gauges on top: GPU, its memory, RAM and disk, with a word for what is tight."""

from __future__ import annotations

from html import escape

from core.gauges import Gpu, Reading
from ui.texts import frame as texts

GIB = 2**30
TIGHT_DISK = 5 * GIB


def gauges_html(reading: Reading | None) -> str:
    if reading is None:
        return f'<div class="gauges" aria-label="{texts.GAUGES_LABEL}"></div>'
    parts = [part for gpu in reading.gpus for part in _of_gpu(gpu)] or [f"<span>{texts.GAUGES_NO_GPU}</span>"]
    parts.append(_gauge("RAM", reading.ram_used, reading.ram_total))
    word = f" <b>{texts.GAUGES_TIGHT}</b>" if reading.disk_free < TIGHT_DISK else ""
    parts.append(f"<span>{texts.GAUGES_DISK.format(free=reading.disk_free / GIB)}{word}</span>")
    return f'<div class="gauges" aria-label="{texts.GAUGES_LABEL}">{"".join(parts)}</div>'


def _of_gpu(gpu: Gpu) -> list[str]:
    load = f" <b>{gpu.load} %</b>" if gpu.load is not None else ""
    warm = f", {gpu.celsius} &deg;C" if gpu.celsius is not None else ""
    found = [f"<span>{escape(gpu.name)}{load}{warm}</span>"]
    if gpu.used is not None and gpu.total:
        found.append(_gauge("VRAM", gpu.used, gpu.total))
    return found


def _gauge(name: str, used: int, total: int) -> str:
    share = used / max(total, 1)
    return f'<span>{name} <meter min="0" max="1" low=".8" high=".93" optimum="0" value="{share:.2f}" aria-hidden="true"></meter> <b>{used / GIB:.1f}</b> of {total / GIB:.0f} GiB</span>'
