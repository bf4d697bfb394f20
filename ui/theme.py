"""The look of the page: our theme over Gradio's plain one, and the style of our own HTML."""

from __future__ import annotations

import gradio as gr

from core.analyzer.report_html import REPORT_CSS
from ui.page_style import PAGE_CSS
from ui.palette import DARK, LIGHT

ACCENT = gr.themes.Color(
    name="pine", c50="#eef6f3", c100="#d6e9e2", c200="#aed3c6", c300="#7fb7a5", c400="#519a85", c500="#2f7d69", c600="#256a57", c700="#24594b", c800="#1d473d", c900="#173a32", c950="#0c211c"
)
SANS = ["Inter", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]
# Which of Gradio's variables takes which of our colours, in both modes.
PAINTED = {
    "body_background_fill": "page", "body_text_color": "text", "body_text_color_subdued": "muted", "block_background_fill": "surface", "block_border_color": "line", "block_info_text_color": "muted",
    "background_fill_primary": "surface", "background_fill_secondary": "raised", "border_color_primary": "line", "border_color_accent": "accent", "color_accent_soft": "accent-soft", "link_text_color": "accent", "link_text_color_hover": "accent",
    "link_text_color_active": "accent", "link_text_color_visited": "accent", "input_background_fill": "surface", "input_border_color": "edge", "input_border_color_focus": "accent", "input_placeholder_color": "muted",
    "button_primary_background_fill": "button", "button_primary_background_fill_hover": "button", "button_primary_border_color": "button", "button_primary_text_color": "on-button",
    "button_secondary_background_fill": "surface", "button_secondary_background_fill_hover": "accent-soft", "button_secondary_border_color": "edge", "button_secondary_text_color": "text",
    "checkbox_background_color": "surface", "checkbox_border_color": "edge", "checkbox_background_color_selected": "button", "checkbox_border_color_selected": "button", "checkbox_label_text_color": "text",
    "block_title_text_color": "text", "block_label_text_color": "text", "table_even_background_fill": "surface", "table_odd_background_fill": "surface", "table_border_color": "line", "panel_background_fill": "surface",
}  # fmt: skip


def theme() -> gr.themes.Base:
    """Our colours and type over Gradio's plain theme. System fonts only: nothing is fetched from elsewhere."""
    base = gr.themes.Base(primary_hue=ACCENT, secondary_hue=ACCENT, neutral_hue="stone", radius_size="md", spacing_size="sm", text_size="md", font=SANS, font_mono=MONO)
    painted = {name: LIGHT[colour] for name, colour in PAINTED.items()} | {f"{name}_dark": DARK[colour] for name, colour in PAINTED.items()}
    flat = dict.fromkeys(("block_shadow", "input_shadow", "button_primary_shadow", "button_secondary_shadow", "button_primary_shadow_hover", "button_secondary_shadow_hover"), "none")
    titles = dict.fromkeys(("block_title_background_fill", "block_title_background_fill_dark", "block_label_background_fill", "block_label_background_fill_dark"), "transparent")
    return base.set(**painted, **flat, **titles, block_title_padding="0", block_radius="12px", container_radius="12px", input_radius="8px", button_large_radius="8px", button_medium_radius="8px", button_small_radius="8px", checkbox_border_radius="4px", block_border_width="1px", input_border_width="1px", block_info_text_size="*text_sm", block_title_text_weight="600", button_large_text_weight="600")


CSS = REPORT_CSS + PAGE_CSS + """
.gradio-container { width: 100% !important; min-width: 0 !important; max-width: 1320px !important; margin: 0 auto !important; }
/* The sides of a phone are narrow. Not in a media query: there Gradio takes every rule for one of what lies inside. */
.gradio-container .main { --side: clamp(12px, 4vw - 4px, 32px); padding: var(--s4) var(--side) !important; }
.gradio-container .main, .gradio-container .wrap, .gradio-container .contain { min-width: 0 !important; max-width: 100%; }
.masthead { display: flex; flex-wrap: wrap; align-items: baseline; gap: var(--s1) var(--s4); padding: var(--s2) 0 var(--s1); }
.masthead h1 { font-size: var(--t5); margin: 0; letter-spacing: -.01em; }
.masthead span { color: var(--body-text-color-subdued); }
.log-out { position: relative; margin-left: auto; font-size: var(--t2); } .log-out summary { cursor: pointer; color: var(--body-text-color-subdued); padding: var(--s1) 0; }
.log-out form { position: absolute; right: 0; z-index: 20; width: min(320px, 86vw); padding: var(--s4); border: 1px solid var(--border-color-primary); border-radius: 10px; background: var(--background-fill-primary); box-shadow: 0 8px 24px rgba(0, 0, 0, .16); } .log-out p { margin: 0 0 var(--s3); }
.log-out button { padding: var(--s2) var(--s3); font: inherit; font-weight: 600; border: 1px solid var(--bad); border-radius: 8px; background: none; color: var(--bad); cursor: pointer; }
.notice { margin: var(--s1) 0; padding: var(--s2) var(--s4); border-left: 5px solid var(--bad); border-radius: 8px; background: var(--background-fill-primary); font-weight: 600; }
.empty { padding: var(--s5) var(--s4); text-align: center; color: var(--body-text-color-subdued); border: 1px dashed var(--border-color-primary); border-radius: 10px; }
.photos { display: grid; grid-template-columns: repeat(auto-fill, minmax(148px, 1fr)); gap: var(--s3); }
.photos figure { margin: 0; border: 1px solid var(--border-color-primary); border-radius: 10px; overflow: hidden; background: var(--background-fill-primary); }
.photos img { width: 100%; aspect-ratio: 1; object-fit: cover; display: block; }
.photos figcaption { display: flex; flex-direction: column; gap: 2px; padding: var(--s2); font-size: var(--t1); line-height: 1.35; overflow-wrap: anywhere; }
.photos figcaption span { color: var(--body-text-color-subdued); }
.photos figcaption > span:last-child { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 5; overflow: hidden; }
.photos .mark { align-self: start; background: var(--warn-soft); color: var(--warn) !important; border-radius: 5px; padding: 0 var(--s1); }
.photos figure { position: relative; cursor: pointer; } .photos figure:focus-visible { outline: 3px solid var(--primary-600); outline-offset: 1px; }
.photos figure.current { border-color: var(--primary-600); box-shadow: 0 0 0 1px var(--primary-600); } .photos figure[aria-selected=true] { background: var(--primary-50); } .dark .photos figure[aria-selected=true] { background: var(--primary-900); }
.photos figure.aside img { opacity: .38; filter: grayscale(1); } .photos .mark.aside { background: var(--raised); color: var(--text) !important; }
.photos .pick { position: absolute; top: 0; right: 0; width: 42px; height: 42px; display: grid; place-items: center; } .photos .pick::before { content: ""; width: 20px; height: 20px; border-radius: 6px; border: 2px solid #fff; background: rgba(20, 30, 26, .35); box-shadow: 0 0 2px rgba(0, 0, 0, .5); color: #fff; font: 700 var(--t2)/17px system-ui; text-align: center; }
.photos figure[aria-selected=true] .pick::before { content: "\\2713"; background: var(--primary-600); }
.pick-bar { display: flex; align-items: center; gap: var(--s2); margin: 0 0 var(--s2); } .pick-help { margin: var(--s2) 0 0; font-size: var(--t1); color: var(--body-text-color-subdued); }
.pick-bar button, .large-bar button, .remedy { padding: var(--s1) var(--s2); font-size: var(--t2); font-weight: 500; border: 1px solid var(--neutral-400); border-radius: 6px; background: var(--background-fill-primary); color: var(--body-text-color); cursor: pointer; } .pick-bar button:hover, .large-bar button:hover, .remedy:hover { border-color: var(--primary-600); color: var(--primary-600); }
#photo-panel { position: sticky; top: 8px; align-self: flex-start; }
#photo-tools { gap: var(--s1); flex-wrap: wrap; margin-top: var(--s1); } #photo-tools button { flex: 0 1 auto; min-height: 34px; padding: var(--s1) var(--s3); font-size: var(--t2); font-weight: 500; } #undo, #redo { overflow: hidden; text-overflow: ellipsis; max-width: 20rem; }
#large-photo { position: relative; width: fit-content; max-width: 100%; margin: 0 auto; line-height: 0; } #large-photo img { max-width: 100%; max-height: 58vh; border-radius: 8px; margin: 0; }
.large-bar { display: flex; justify-content: space-between; align-items: center; gap: var(--s2); margin: var(--s2) 0 2px; } .large-bar b { overflow-wrap: anywhere; } .large-bar span { display: flex; gap: var(--s2); } #large small { color: var(--body-text-color-subdued); overflow-wrap: anywhere; }
#crop-frame { position: absolute; border: 2px solid #fff; box-shadow: 0 0 0 9999px rgba(0, 0, 0, .5); cursor: move; touch-action: none; } #crop-frame[hidden] { display: none; } #large-photo:has(#crop-frame:not([hidden])) { overflow: hidden; }
#crop-frame i { position: absolute; width: 26px; height: 26px; background: none; } #crop-frame i::after { content: ""; position: absolute; inset: 7px; border-radius: 50%; background: #fff; border: 2px solid var(--primary-600); }
#crop-frame i[data-edge=nw] { left: -14px; top: -14px; cursor: nwse-resize; } #crop-frame i[data-edge=ne] { right: -14px; top: -14px; cursor: nesw-resize; } #crop-frame i[data-edge=sw] { left: -14px; bottom: -14px; cursor: nesw-resize; } #crop-frame i[data-edge=se] { right: -14px; bottom: -14px; cursor: nwse-resize; }
.caption-checks { list-style: none; margin: 0; padding: 0; font-size: var(--t2); min-height: 4.2em; } .caption-checks li { display: flex; gap: var(--s2); margin: 2px 0; } .caption-checks span { flex: 0 0 1.2em; text-align: center; font-weight: 700; } .caption-checks .good span { color: var(--primary-600); } .caption-checks .bad span { color: var(--bad); }
table.bulk del, table.bulk ins { display: block; text-decoration: none; overflow-wrap: anywhere; } table.bulk del { color: var(--body-text-color-subdued); text-decoration: line-through; } .done { margin: var(--s2) 0; }
.proposals { list-style: none; margin: 0; padding: 0; display: grid; gap: var(--s2); } .proposals li { display: grid; grid-template-columns: 72px minmax(0, 1fr) auto; gap: var(--s3); align-items: center; margin: 0; padding: var(--s1); border: 1px solid var(--border-color-primary); border-radius: 10px; background: var(--background-fill-primary); }
.proposals img { width: 72px; height: 72px; object-fit: cover; border-radius: 7px; margin: 0 !important; } .proposals div { display: grid; gap: 2px; font-size: var(--t2); line-height: 1.35; overflow-wrap: anywhere; } .proposals del { color: var(--body-text-color-subdued); } .proposals ins { text-decoration: none; } .proposals span { display: flex; gap: var(--s2); }
.proposals button { padding: var(--s1) var(--s3); font-size: var(--t2); border: 1px solid var(--neutral-400); border-radius: 6px; background: var(--background-fill-primary); color: var(--body-text-color); cursor: pointer; } .proposals button[data-answer=accept] { border-color: var(--primary-600); color: var(--primary-600); font-weight: 600; } .proposals button:hover { background: var(--primary-50); } .dark .proposals button:hover { background: var(--primary-900); }
.status { border: 1px solid var(--line); border-top: 4px solid var(--accent); border-radius: 12px; padding: var(--s3) var(--s4); background: var(--surface); min-height: 8.6rem; }
.status .headline { font-size: var(--t4); } .status .headline span { color: var(--body-text-color-subdued); margin-left: var(--s2); }
.status .facts span { white-space: nowrap; } .status .facts { margin: var(--s1) 0 var(--s2); font-variant-numeric: tabular-nums; min-height: 1.4em; }
.status p { margin: var(--s2) 0 0; }
.readiness { margin: 0; padding: var(--s2) var(--s3); border-left: 4px solid var(--primary-600); font-size: var(--t2); } .readiness.test { border-color: var(--warn); } .readiness.fix { border-color: var(--bad); }
.status.failed { border-top-color: var(--bad); } .status.interrupted, .status.stopped { border-top-color: var(--warn); }
.bar { height: 8px; border-radius: 5px; background: var(--border-color-primary); overflow: hidden; } .bar div { height: 100%; background: var(--primary-600); transform-origin: left; transition: transform .6s; }
.scroll { overflow-x: auto; max-width: 100%; }
#samples, #cells, #report, #photos { min-width: 0; max-width: 100%; overflow: hidden; }
#report .download { margin-top: var(--s4); } #analyze { flex: 0 1 16rem; } #undo-remedy { flex: 0 1 auto; max-width: 30rem; } .remedies { display: inline-flex; flex-wrap: wrap; gap: var(--s2); vertical-align: middle; } .finding .remedies { display: flex; margin-top: var(--s2); } .finding .who .remedy { width: 100%; padding: var(--s1); font-size: var(--t1); }
table.grid, table.grid tr, table.grid th, table.grid td { border: 0 !important; background: none !important; } table.grid img { margin: 0 !important; }
table.plain, table.plain tr, table.plain th, table.plain td { border-width: 0 0 1px !important; border-color: var(--border-color-primary) !important; }
table.grid { border-collapse: separate; border-spacing: 6px; width: 100%; table-layout: fixed; margin: 0; }
table.grid th { font-weight: 600; text-align: center; padding: 2px; } table.grid td { padding: 0; border: 0; vertical-align: top; }
table.grid td.prompt { padding: var(--s1) 2px 0; font-size: var(--t2); color: var(--body-text-color-subdued); } table.grid td.prompt span { position: sticky; left: 0; display: inline-block; max-width: min(100%, calc(100vw - 76px)); }
table.grid img, .blank { width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 8px; display: block; background: var(--background-fill-secondary); image-rendering: auto; }
table.grid a.cell { display: block; line-height: 0; } table.grid td small { display: block; margin-top: var(--s1); text-align: center; font-size: var(--t1); min-height: 1.2em; color: var(--body-text-color-subdued); font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.choice p { flex-basis: 100%; margin: var(--s1) 0 0; } .choice .links { display: flex; flex-wrap: wrap; gap: var(--s1) var(--s4); } #recommendation .verdict { margin-bottom: var(--s2); } #recommendation, #measures, #evaluations, #coverage { min-width: 0; max-width: 100%; }
.measures-fold { margin-top: var(--s2); } .measures-fold summary { cursor: pointer; font-weight: 600; padding: var(--s1) 0; } table.measures th[scope=row] { font-weight: 500; } table.measures td { font-variant-numeric: tabular-nums; }
table.measures td.good { color: var(--good); } table.measures td.watch { background: var(--warn-soft) !important; color: var(--warn); } table.measures td.bad { background: var(--bad-soft) !important; color: var(--bad); } table.measures td.none, table.measures td[colspan] { color: var(--body-text-color-subdued); font-size: var(--t2); }
.legend { display: flex; flex-wrap: wrap; gap: var(--s1) var(--s2); align-items: center; font-size: var(--t1); margin: var(--s2) 0 0; color: var(--body-text-color-subdued); } .legend i { width: 12px; height: 12px; border-radius: 3px; background: var(--good-soft); margin-left: var(--s2); } .legend i.watch { background: var(--warn-soft); } .legend i.bad { background: var(--bad-soft); }
#cell-view { padding: var(--s3); border: 0; border-radius: 12px; max-width: min(96vw, 1080px); background: var(--background-fill-primary); color: var(--body-text-color); } #cell-view::backdrop { background: rgba(15, 20, 18, .72); }
#cell-view .stage { position: relative; width: min(88vw, 74vh, 1024px); margin: 0 auto; line-height: 0; } #cell-view img { width: 100%; border-radius: 8px; margin: 0; } #cell-view .over, #cell-view .edge, #cell-view input { display: none; }
#cell-view.pair .over, #cell-view.pair .edge { display: block; position: absolute; top: 0; } #cell-view.pair .over { left: 0; } #cell-view .edge { width: 2px; height: 100%; background: #fff; box-shadow: 0 0 3px #000; } #cell-view.pair input { display: block; width: min(88vw, 74vh, 1024px); margin: var(--s2) auto 0; accent-color: var(--primary-600); }
#cell-view .words { margin: var(--s2) auto; max-width: 46rem; font-size: var(--t2); text-align: center; } .cell-bar { display: flex; flex-wrap: wrap; gap: var(--s2); justify-content: center; } .cell-bar button { padding: var(--s1) var(--s3); border: 1px solid var(--neutral-400); border-radius: 7px; cursor: pointer; } #cell-view.pair .previous, #cell-view.pair .next { display: none; }
#cell-note { padding: var(--s2) var(--s3); margin-bottom: var(--s1); border-left: 4px solid var(--primary-600); font-size: var(--t2); background: var(--background-fill-primary); }
table.plain { width: 100%; border-collapse: collapse; font-size: var(--t2); } table.plain th, table.plain td { text-align: left; padding: var(--s1) var(--s2); border-bottom: 1px solid var(--border-color-primary); }
#subject-row .form > * { display: flex; flex-direction: column; } #subject-row .form > * > label, #subject-row .form > * > .container { flex: 1; display: flex; flex-direction: column; } #subject-row :is(label, .container) > :is(.wrap, .input-container) { margin-top: auto; } #subject-row :is(.wrap-inner, .input-container input, .input-container textarea) { height: 38px !important; box-sizing: border-box; } #subject-row .wrap-inner { align-items: center; }
:is(#bulk-preview, #bulk-apply, #start-captions, #stop-captions, #accept-all, #reject-all, #look-at-traces, #create-person, #delete-person, #download-captioner) { flex: 0 1 auto !important; width: auto; min-width: 12rem; align-self: flex-start; } #delete-person { color: var(--bad); border-color: var(--bad); }
#traces td:not(:first-child) { white-space: nowrap; }
/* Nothing to look at, to caption or to turn yet: what is left is the way to bring photos in, and to take a deletion back. */
.gradio-container:has(#photos .empty) :is(#caption-panel, #bulk-captions, #large, .form:has(> #caption), #caption-checks, #save-caption, #photo-tools button:is(:disabled, :not(#undo, #redo))) { display: none; }
#photo-desk:has(#photos .empty) { flex-direction: column; } #photo-desk:has(#photos .empty) > .column { width: 100%; } #photo-desk:has(#photos .empty) #drop-zone label { padding: var(--s5) var(--s3); }
.gradio-container .html-container { padding: 0 !important; }
/* Gradio colours code a little after it is there, some of it too faint to read. */
.gradio-container pre .token { color: inherit !important; }
/* Last line at the bottom and in sight; reversed columns keep it there without a script. */
.log { display: flex; flex-direction: column-reverse; max-height: 15rem; overflow: auto; padding: var(--s2) var(--s3); border: 1px solid var(--border-color-primary); border-radius: 10px; background: var(--background-fill-primary); }
.log pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font: var(--t1)/1.45 ui-monospace, Menlo, Consolas, monospace; background: none; }
#drop-zone { display: grid; gap: var(--s2); }
#drop-zone label { display: grid; gap: var(--s1); justify-items: center; text-align: center; padding: var(--s5) var(--s3); border: 2px dashed var(--neutral-400); border-radius: 10px; background: var(--background-fill-primary); cursor: pointer; }
#drop-zone label b { font-size: var(--t3); } #drop-zone label span { color: var(--primary-600); text-decoration: underline; } #drop-zone label small, #drop-zone li small, #upload-numbers, #upload-target { color: var(--body-text-color-subdued); }
#drop-zone.over label, #drop-zone label:hover { border-color: var(--primary-600); background: var(--primary-50); } .dark #drop-zone.over label, .dark #drop-zone label:hover { background: var(--primary-900); }
#drop-zone:focus-within label { outline: 2px solid var(--primary-600); outline-offset: 2px; }
#upload-input { position: absolute; width: 1px; height: 1px; opacity: 0; }
#drop-zone p { margin: 0; font-variant-numeric: tabular-nums; } #upload-cancel { margin-left: var(--s2); padding: 0 var(--s2); font-size: var(--t2); font-weight: 400; border: 1px solid var(--neutral-400); border-radius: 6px; }
#upload-files { list-style: none; margin: 0; padding: 0; display: grid; gap: var(--s1); max-height: 16rem; overflow: auto; font-size: var(--t2); }
#upload-files li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 var(--s2); align-items: center; margin: 0; overflow-wrap: anywhere; } #upload-files li small { grid-column: 1 / -1; } 
#upload-files progress { appearance: none; width: 5rem; height: .45rem; border: 0; border-radius: 4px; overflow: hidden; background: var(--border-color-primary); } #upload-files progress::-webkit-progress-bar { background: var(--border-color-primary); } #upload-files progress::-webkit-progress-value { background: var(--primary-600); } #upload-files progress::-moz-progress-bar { background: var(--primary-600); }
#upload-files li b { font-weight: 500; padding: 0 var(--s2); border-radius: 5px; background: var(--good-soft); color: var(--good); } #upload-files li.refused b { background: var(--bad-soft); color: var(--bad); } #upload-files li.renamed b { background: var(--warn-soft); color: var(--warn); } #upload-files li.already-there b { background: var(--raised); color: var(--text); }
input[type=checkbox] { border: 1px solid var(--neutral-400) !important; }
/* Gradio puts components into the page one by one, in no order; shown before the last of them, they would push each other about. After ten seconds what there is is shown. */
main.contain:not(:has(.masthead):has(#set-dataset-folder):has(#exclude):has(#save-caption)) > .column { visibility: hidden; animation: shown 0s 10s forwards; } @keyframes shown { to { visibility: visible; } }
#page-trouble { display: none; position: fixed; left: 50%; bottom: 16px; transform: translateX(-50%); background: #a12a1d; color: #fff; padding: var(--s2) var(--s4); border-radius: 8px; z-index: 1000; }
@media (max-width: 640px) { #analyze, #undo-remedy { flex: 1 1 100%; max-width: none; } .proposals li { grid-template-columns: 72px minmax(0, 1fr); } .proposals span { grid-column: 1 / -1; } .proposals button { flex: 1; min-height: 40px; } #subject-row > *, #subject-row .form > * { flex: 1 1 100% !important; min-width: 100% !important; } .label-wrap { text-align: left; } .pick-help { display: none; } #photo-panel { position: static; } .masthead h1 { font-size: var(--t4); } .photos { grid-template-columns: repeat(2, 1fr); max-height: 75vh; overflow: auto; } .tab-container button { font-size: var(--t1); padding: 0 var(--s1) !important; } }
"""
