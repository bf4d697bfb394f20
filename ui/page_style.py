"""The style of the frame, the Training tab and its panels: one type scale, one rhythm, both modes from the palette."""

from __future__ import annotations

from ui.palette import DARK, LIGHT, variables

# Five sizes of type (--t1 small print to --t5 title) and five distances (--s1 to --s5); nothing else is used.
PAGE_CSS = f"""
:root {{ {variables(LIGHT)} --t1: .8125rem; --t2: .875rem; --t3: 1rem; --t4: 1.2rem; --t5: 1.5rem; --s1: 4px; --s2: 8px; --s3: 12px; --s4: 16px; --s5: 24px; }}
.dark {{ {variables(DARK)} --primary-600: var(--accent); --primary-50: var(--accent-soft); --primary-900: var(--accent-soft); --neutral-400: var(--edge); }}
""" + """
.gradio-container :is(a, button, input, textarea, select, summary, [tabindex]):focus-visible { outline: 3px solid var(--accent) !important; outline-offset: 2px; }
.gradio-container a { color: var(--accent); } .gradio-container a:not(.chip-button) { padding: 0 !important; }
.gradio-container button:disabled { opacity: 1 !important; background: var(--raised) !important; color: var(--muted) !important; border-color: var(--line) !important; cursor: not-allowed; }
.gradio-container h2.section { font-size: var(--t4); margin: 0 0 var(--s2) !important; padding-top: var(--s4); }
.gradio-container .small, .gradio-container small { font-size: var(--t1); color: var(--muted); }
.sr-only { position: absolute !important; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.gradio-container input[role=combobox] { text-overflow: ellipsis; padding-right: var(--s5); } .gradio-container .block.hide-container { border-radius: 0 !important; }
.numbers, .gauges, .facts, .history td, .forecast dd { font-variant-numeric: tabular-nums; }
/* Each text in its own direction, whatever stands around it. */
.photos figcaption :is(b, span), textarea, bdi { unicode-bidi: plaintext; }
.chip-button, .history button, .queue button, .path button, .viewer button { font: inherit; font-size: var(--t2); padding: var(--s1) var(--s3); min-height: 32px; border: 1px solid var(--edge); border-radius: 8px; background: var(--surface); color: var(--text); cursor: pointer; }
:is(.chip-button, .history button, .queue button, .path button, .viewer button):hover { border-color: var(--accent); color: var(--accent); }
:is(.chip-button, .history button, .queue button)[aria-pressed=true] { background: var(--accent-soft); border-color: var(--accent); }
.verdict { min-width: 0; } .verdict > * { min-width: 0; overflow-wrap: anywhere; }
.card { border: 1px solid var(--line); border-radius: 12px; background: var(--surface); padding: var(--s3) var(--s4); }
.card h3 { font-size: var(--t3); margin: 0 0 var(--s2); }

.gauges { display: flex; flex-wrap: wrap; gap: var(--s1) var(--s4); min-height: 1.6em; font-size: var(--t1); color: var(--muted); }
.gauges span { display: inline-flex; align-items: center; gap: .45em; white-space: nowrap; } .gauges b { color: var(--text); font-weight: 600; }
meter { width: 3.6rem; height: .5rem; appearance: none; border: 0; background: var(--line); border-radius: 4px; overflow: hidden; }
meter::-webkit-meter-bar { background: var(--line); border: 0; border-radius: 4px; height: .5rem; } meter::-webkit-meter-optimum-value { background: var(--accent); } meter::-webkit-meter-suboptimum-value { background: var(--warn); } meter::-webkit-meter-even-less-good-value { background: var(--bad); } meter::-moz-meter-bar { background: var(--accent); }
.gradio-container button[role=tab].selected { color: var(--accent) !important; font-weight: 600; } .gradio-container button[role=tab].selected::after { background: var(--accent) !important; }

.path { border: 1px solid var(--line); border-radius: 12px; background: var(--surface); padding: var(--s3) var(--s4); }
.path ol { list-style: none; display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: var(--s2); margin: 0; padding: 0; }
.path li { margin: 0; min-width: 0; }
.path li button { width: 100%; min-height: 44px; display: flex; align-items: center; gap: var(--s2); border-color: transparent; background: none; text-align: left; padding: var(--s1) var(--s2); }
.path li i { flex: 0 0 1.6rem; height: 1.6rem; border-radius: 50%; display: grid; place-items: center; font-style: normal; font-size: var(--t1); font-weight: 700; border: 2px solid var(--edge); color: var(--muted); }
.path li.done i { background: var(--accent); border-color: var(--accent); color: var(--surface); } .path li.now i { border-color: var(--accent); color: var(--accent); } .path li.now button { background: var(--accent-soft); font-weight: 700; }
.path .next { display: flex; flex-wrap: wrap; align-items: center; gap: var(--s2) var(--s3); margin: var(--s2) 0 0; min-height: 2.3rem; } .path .next p { margin: 0; flex: 1 1 20rem; }
.path .next button.go { background: var(--button); border-color: var(--button); color: var(--on-button); font-weight: 600; }

.forecast dl { display: grid; grid-template-columns: max-content 1fr; gap: var(--s1) var(--s4); margin: 0; min-height: 14.5rem; align-content: start; } .forecast dt { color: var(--muted); font-size: var(--t2); } .forecast dd { margin: 0; font-size: var(--t2); } .forecast dd b { font-size: var(--t3); }
.forecast .trouble { margin: 0; min-height: 14.5rem; color: var(--muted); font-size: var(--t2); overflow-wrap: anywhere; }
.forecast .phases { display: grid; grid-template-columns: max-content 4.5rem max-content; gap: 2px var(--s2); align-items: center; } .forecast .phases meter { width: 100%; }
.forecast .note { color: var(--warn); background: var(--warn-soft); border-radius: 8px; padding: var(--s1) var(--s2); margin: var(--s2) 0 0; font-size: var(--t2); }

.differs, .history table, .gradio-container :is(.differs, .history) tr { border: 0 !important; background: none !important; } .differs { width: 100%; margin: var(--s1) 0 !important; border-collapse: collapse; font-size: var(--t1); font-variant-numeric: tabular-nums; } .differs th, .differs td { text-align: left; padding: var(--s1) var(--s1); border: 0 !important; border-bottom: 1px solid var(--line) !important; } .differs :is(th, td).chosen { background: var(--accent-soft); } .differs thead th { color: var(--muted); font-weight: 600; }

.log-tools { display: flex; flex-wrap: wrap; gap: var(--s2); align-items: center; } .log-tools input { flex: 1 1 10rem; min-width: 0; font: inherit; font-size: var(--t2); padding: var(--s1) var(--s2); border: 1px solid var(--edge); border-radius: 8px; background: var(--surface); color: var(--text); }
.log-tools input::placeholder { color: var(--muted); opacity: 1; }
.log p { margin: 0; font: var(--t1)/1.5 ui-monospace, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; } .log p time { color: var(--muted); } .log p.warning { color: var(--warn); } .log p.error { color: var(--bad); font-weight: 600; } .log p[hidden] { display: none; }
.log > div { display: block; } .log p.none { color: var(--muted); }

.samples-row { margin: 0 0 var(--s4); } .samples-row p { margin: 0 0 var(--s1); color: var(--muted); font-size: var(--t2); }
.samples-row .strip { display: grid; grid-auto-flow: column; grid-auto-columns: clamp(96px, 22%, 200px); gap: var(--s2); overflow-x: auto; padding: var(--s1); scroll-snap-type: x proximity; }
.samples-row figure { margin: 0; } .samples-row figcaption { font-size: var(--t1); color: var(--muted); text-align: center; font-variant-numeric: tabular-nums; }
.samples-row figure.base { position: sticky; left: 0; z-index: 1; background: var(--page); box-shadow: 6px 0 6px -6px rgba(0, 0, 0, .4); }
.samples-row button { display: block; width: 100%; padding: 0; border: 0; background: none; cursor: zoom-in; border-radius: 8px; } .samples-row img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 8px; margin: 0 !important; display: block; background: var(--raised); }
dialog.viewer { font-family: var(--font); border: 0; padding: 0; margin: auto; max-width: min(96vw, 1100px); background: var(--surface); color: var(--text); border-radius: 12px; } dialog.viewer::backdrop { background: rgba(0, 0, 0, .75); }
.viewer .stage { position: relative; width: fit-content; margin: 0 auto; line-height: 0; touch-action: none; user-select: none; } .viewer .stage img { display: block; width: min(96vw, 72vh); height: auto; margin: 0; } .viewer .stage img.over { position: absolute; inset: 0; clip-path: inset(0 calc(100% - var(--cut, 50%)) 0 0); }
.viewer .stage::after { content: ""; position: absolute; top: 0; bottom: 0; left: var(--cut, 50%); width: 2px; background: #fff; box-shadow: 0 0 3px #000; }
.viewer.alone :is(.over, label) { display: none; } .viewer.alone .stage::after { display: none; }
.viewer .tools { padding: var(--s2) var(--s3) var(--s3); display: grid; gap: var(--s2); font-size: var(--t2); } .viewer .tools div { display: flex; justify-content: space-between; gap: var(--s2); flex-wrap: wrap; align-items: center; } .viewer input[type=range] { width: 100%; accent-color: var(--accent); }

.history .scroll { overflow-x: auto; } .history table { width: 100%; border-collapse: collapse; font-size: var(--t2); margin: 0; } .history th, .history td { text-align: left; vertical-align: top; padding: var(--s2) var(--s2) !important; border: 0 !important; border-bottom: 1px solid var(--line) !important; }
.history th { color: var(--muted); font-weight: 600; white-space: nowrap; } .history td[data-label=When], .history td[data-label=Steps], .history td[data-label=Took] { white-space: nowrap; } .history td .name { text-align: left; } .history td.acts { min-width: 19.5rem; } .history td.acts > * { margin: 0 var(--s1) var(--s1) 0; vertical-align: top; } .history td.acts details { display: inline-block; } .history :is(a.chip-button, td.acts summary) { display: inline-flex; align-items: center; box-sizing: border-box; text-decoration: none; line-height: 1.4; }
.history td.acts summary { min-height: 32px; padding: var(--s1) var(--s3); border: 1px solid var(--edge); border-radius: 8px; background: var(--surface); color: var(--text); list-style: none; } .history td.acts summary:hover { border-color: var(--accent); color: var(--accent); }
.history .word { font-weight: 600; } .history .word.finished { color: var(--good); } .history .word.failed { color: var(--bad); } .history .word.interrupted, .history .word.stopped { color: var(--warn); }
.history details summary, .help summary, .path details summary { cursor: pointer; color: var(--accent); font-size: var(--t2); } .history ul { margin: var(--s1) 0 0; padding-left: 1.1em; font-size: var(--t1); } .history textarea { display: block; width: 15rem; max-width: 70vw; font: inherit; font-size: var(--t2); padding: var(--s1) var(--s2); margin: var(--s1) 0; border: 1px solid var(--edge); border-radius: 8px; background: var(--surface); color: var(--text); } .history td .name { overflow-wrap: anywhere; min-width: 7rem; display: inline-block; }
.queue ol { margin: 0; padding: 0; list-style: none; display: grid; gap: var(--s2); } .queue li { display: flex; flex-wrap: wrap; align-items: center; gap: var(--s2); margin: 0; } .queue li b { flex: 1 1 12rem; overflow-wrap: anywhere; } .queue li b .small { font-weight: 400; } .queue .ask { background: var(--warn-soft); color: var(--warn); border-radius: 8px; padding: var(--s2) var(--s3); margin: 0 0 var(--s2); display: flex; flex-wrap: wrap; gap: var(--s2); align-items: center; } .queue .ask b { flex: 1 1 14rem; } .queue .went-wrong { color: var(--bad); margin: 0 0 var(--s2); font-size: var(--t2); }
.pod-stop { display: flex; flex-wrap: wrap; gap: var(--s1) var(--s3); align-items: center; font-size: var(--t2); } .pod-stop b[role=alert] { color: var(--warn); }
.status .note { color: var(--warn); }
/* Room for what arrives a moment later, so that nothing jumps when it does. */
#path { min-height: 118px; } #gauges { min-height: 1.7rem; } #status { min-height: 8.6rem; } #forecast { min-height: 11.8rem; }
.notices { display: flex; flex-wrap: wrap; gap: var(--s1) var(--s4); font-size: var(--t2); align-items: center; } .notices label { display: inline-flex; gap: .45em; align-items: center; min-height: 32px; cursor: pointer; } .notices input { accent-color: var(--accent); width: 1.05rem; height: 1.05rem; }
.gradio-container .guide :is(table, tr, th, td) { border-color: var(--line) !important; } .gradio-container .guide :is(th, td) { padding: var(--s1) var(--s2) !important; }
.help { border: 1px solid var(--line); border-radius: 12px; background: var(--surface); padding: var(--s2) var(--s4); } .help > div { font-size: var(--t2); max-width: 60rem; }
.empty ol, .empty ul { text-align: left; display: inline-block; margin: var(--s2) 0 0; } .empty b { color: var(--text); }
.model-setup .terms { font-size: var(--t2); } .model-setup .state { font-weight: 600; }
.likeness .curves, .curves { display: flex; flex-wrap: wrap; gap: var(--s1) var(--s4); margin: var(--s3) 0 0; font-size: var(--t2); color: var(--muted); } .curves span { display: inline-flex; align-items: center; gap: var(--s2); } .curves i { width: 18px; height: 3px; border-radius: 2px; }
.likeness p { margin: 0 0 var(--s2); } .likeness span { color: var(--muted); font-size: var(--t2); } .likeness b[data-level=excellent], .likeness b[data-level=good] { color: var(--good); } .likeness b[data-level=weak] { color: var(--warn); } .likeness b[data-level=not-the-person] { color: var(--bad); }
.likeness .sign { background: var(--warn-soft); color: var(--warn); border-radius: 8px; padding: var(--s2) var(--s3); font-size: var(--t2); }
.symptoms { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); gap: var(--s3); margin-top: var(--s3); align-items: start; }
.symptom { border: 1px solid var(--line); border-radius: 12px; background: var(--surface); padding: var(--s3) var(--s4); font-size: var(--t2); overflow-wrap: anywhere; } .symptom.fix { grid-column: 1 / -1; border-left: 5px solid var(--bad); }
.symptom h4 { display: flex; flex-wrap: wrap; justify-content: space-between; gap: var(--s1) var(--s3); margin: 0; font-size: var(--t3); } .symptom h4 span { font-size: var(--t1); font-weight: 600; border-radius: 6px; padding: 1px var(--s2); background: var(--raised); color: var(--muted); } .symptom.fix h4 span { background: var(--bad-soft); color: var(--bad); } .symptom.ready h4 span { background: var(--good-soft); color: var(--good); }
.symptom p, .symptom ul { margin: var(--s2) 0 0; } .symptom ul { padding-left: var(--s4); } .symptom .how { color: var(--muted); } .symptom .remedy, .prepared .remedy { min-height: 36px; padding: var(--s1) var(--s4); font-size: var(--t2); }
.gradio-container table.changes { width: auto; border: 0 !important; margin: var(--s2) 0 0 !important; border-collapse: collapse; } .gradio-container table.changes :is(tr, th, td) { border: 0 !important; background: none !important; padding: 2px var(--s4) 2px 0 !important; text-align: left; font-weight: 400; } .changes del { color: var(--muted); } .changes ins { text-decoration: none; font-weight: 700; color: var(--accent); } .changes ins::before { content: "\\2192  "; font-weight: 400; color: var(--muted); }
.prepared { border: 1px solid var(--accent); border-radius: 12px; background: var(--accent-soft); padding: var(--s3) var(--s4); font-size: var(--t2); } .prepared p { margin: var(--s2) 0 0; }
#act, #forecast-timer { display: none; }
/* Before the first run, or grid, there is none to choose, to stop or to search. */
.gradio-container:has(#status .empty) :is(.form:has(> #run), #run-acts, .log-tools), .gradio-container:has(#grid-status .empty) .form:has(> #grid), .gradio-container:has(#doctor .empty) .form:has(> #doctor-run) { display: none !important; } #status:has(.empty) { min-height: 0; }
/* A search for the best strength has many rows: they scroll in their own window, so that what was measured stays near. */
#cells .scroll { max-height: 85vh; overflow: auto; } table.grid thead th { position: sticky; top: 0; z-index: 1; background: var(--page) !important; }
/* Below the width of two columns: choose, see what comes of it, then the settings. */
@media (max-width: 700px) {
  #evaluation-columns { flex-direction: column; } #evaluation-columns > .column:first-child { display: contents; } #grid-choice { order: 1; } #grid-results { order: 2; } #grid-settings { order: 3; } #grid-results { min-width: 0 !important; width: 100%; }
  #training-columns { flex-direction: column; } #training-columns > .column { display: contents; } #run-choice { order: 1; } #run-state { order: 2; } #run-output { order: 3; } #run-settings { order: 4; }
}
@media (max-width: 640px) {
  #path { min-height: 226px; } #gauges { min-height: 3rem; } .path ol { grid-auto-flow: row; grid-template-columns: repeat(3, 1fr); } .path li button { font-size: var(--t1); min-height: 40px; padding: 2px var(--s1); } .path { padding: var(--s2) var(--s3); }
  .samples-row .strip { grid-auto-columns: clamp(96px, 38%, 160px); } .queue li b, .queue .ask b { flex-basis: 100%; } #run-acts { display: grid; grid-template-columns: 1fr 1fr; }
  .history table, .history tbody { display: block; } .history thead { display: none; } .history tr { display: grid; grid-template-columns: 1fr 1fr; gap: 2px var(--s3); border-bottom: 1px solid var(--line) !important; padding: var(--s3) 0; } .history tr td { display: block; border: 0 !important; padding: 0 !important; }
  .history td:empty { display: none !important; } .history td::before { content: attr(data-label); display: block; color: var(--muted); font-size: var(--t1); } .history td[data-label=Run], .history td.acts { grid-column: 1 / -1; } .history td[data-label=Run]::before, .history td.acts::before { display: none; } .history td.acts { white-space: normal; min-width: 0; padding-top: var(--s2) !important; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; animation: none !important; } }
"""
