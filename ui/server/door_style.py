"""The look of what stands before the page, waiting page and login: the page's own colours, and nothing to fetch."""

from __future__ import annotations

from ui.palette import DARK, LIGHT, variables

DOOR_STYLE = f"""<style>
:root {{ {variables(LIGHT)} color-scheme: light dark; }}
@media (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}
""" + """
body { font: 16px/1.5 system-ui, sans-serif; display: grid; place-items: center; min-height: 90vh; margin: 0; background: var(--page); color: var(--text); }
main, form { box-sizing: border-box; width: min(24rem, 92vw); padding: 24px; border: 1px solid var(--line); border-top: 4px solid var(--accent); border-radius: 12px; background: var(--surface); }
form { display: grid; gap: 8px; } h1 { font-size: 1.2rem; margin: 0 0 8px; } main p { margin: 0; } label { font-weight: 600; } small { color: var(--muted); font-size: .875rem; }
input, button { font: inherit; padding: 8px 12px; border-radius: 8px; border: 1px solid var(--edge); background: var(--surface); color: var(--text); } :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
button { background: var(--button); border-color: var(--button); color: var(--on-button); font-weight: 600; cursor: pointer; } [role=alert] { color: var(--bad); min-height: 1.5em; margin: 0; }
</style>"""
