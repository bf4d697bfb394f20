"""The page's handlers, called as the page calls them."""

from __future__ import annotations

from typing import Any

from ui.layout import build_page
from ui.studio import Studio


def handlers_of(studio: Studio) -> dict[tuple[str | None, str], Any]:
    """The first handler of each element and event."""
    page = build_page(studio)
    found: dict[tuple[str | None, str], Any] = {}
    for function in page.fns.values():
        for target in function.targets:
            found.setdefault((getattr(page.blocks.get(target[0]), "elem_id", None), target[1]), function)
    return found


def call(handlers: dict[tuple[str | None, str], Any], element: str, event: str, **values: Any) -> dict[str | None, Any]:
    """With the values of the named elements, the others as the page was built; what is sent, by element."""
    function = handlers[element, event]
    inputs = [values.get((component.elem_id or "").replace("-", "_"), getattr(component, "value", None)) for component in function.inputs]
    return dict(zip([component.elem_id for component in function.outputs], function.fn(*inputs), strict=True))
