"""The drop zone of the Dataset tab: photos, captions, folders and ZIP archives go to the dataset that is chosen."""

from __future__ import annotations

from html import escape

import gradio as gr

from ui.messages import QUIET
from ui.studio import Studio
from ui.texts import dataset as texts

# No HEIC here: then an iPhone turns its photos into JPG by itself when they are picked.
ACCEPTED = "image/jpeg,image/png,image/webp,.jpg,.jpeg,.png,.webp,.txt,.zip"
ZONE = f"""
<div id="drop-zone">
  <label for="upload-input"><b>{texts.UPLOAD}</b><span>{texts.UPLOAD_HOW}</span><small>{texts.UPLOAD_KINDS}</small></label>
  <input id="upload-input" type="file" multiple accept="{ACCEPTED}">
  <p><b id="upload-status" role="status"></b> <span id="upload-numbers"></span> <button type="button" id="upload-cancel" hidden>{texts.UPLOAD_CANCEL}</button></p>
  <ul id="upload-files"></ul>
</div>
"""


def build(studio: Studio, folder: gr.components.Component, page: gr.Blocks) -> gr.Button:
    """The zone, and a hidden button that its script presses when files were taken in: wire there what must be drawn anew."""
    target = gr.HTML(elem_id="upload-to")
    gr.HTML(ZONE, elem_id="upload")
    done = gr.Button(texts.UPLOAD_DONE, elem_id="upload-done", visible="hidden")

    def show(folder_name: str) -> str:
        """The script reads where to from here; the server lets no folder pass that is not listed."""
        name = escape(folder_name if folder_name in studio.listing("dataset") else "", quote=True)
        return f'<small id="upload-target" data-folder="{name}" data-server="{studio.server}">{texts.UPLOAD_TO.format(name=name)}</small>'

    for event in (page.load, folder.change):
        event(show, folder, target, **QUIET)
    return done
