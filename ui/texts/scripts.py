"""What the page's scripts say by themselves; they ask for a text by its name, and fill what stands in braces."""

from __future__ import annotations

from ui.texts.frame import TITLE

SAID = {
    "title": TITLE,
    "close": "Close",
    # Cells of the strength grid.
    "cell_share": "How much of the left picture is shown",
    "cell_compare": "Compare with another",
    "cell_previous": "Previous cell",
    "cell_next": "Next cell",
    "cell_pair": "Left: {left}. Right: {right}.",
    "cell_choose": "Click the cell to compare with: {label}",
    # The grid of photos.
    "selected": "{count} selected",
    # Samples at full size.
    "viewer": "Picture at full size, compared with the base model",
    "viewer_left": "Left:",
    "viewer_right": "right:",
    "viewer_cut": "Where the two pictures meet",
    "viewer_earlier": "Earlier",
    "viewer_later": "Later",
    # The end of a run.
    "running": "{percent} % {name}",
    "ended": "'{name}' has ended.",
    "ended_so": "'{name}' has ended: {how}.",
    "no_notices": "The browser does not allow notifications from this page.",
    # The page itself is in trouble.
    "away": "No answer from the server for {seconds} s. A running training goes on by itself.",
    "page_logged_out": "You are logged out. Reload the page to log in again. A running training goes on by itself.",
    "not_drawn": "The studio made a fault while it drew this page; its log says which. What you see may be old. A running training goes on by itself.",
    # Uploads.
    "lost": "The connection was lost. Choose the files again: what has arrived is not sent twice.",
    "logged_out": "You are logged out. Reload the page, log in, and choose the files again.",
    "cancelled": "Cancelled. What has arrived is kept for a day.",
    "file_again": "connection lost, trying again",
    "batch_again": "Connection lost, trying again",
    "intake_failed": "The studio made a fault while it took the photos in; its log says which. What is shown below was taken in.",
    "browser_failed": "This browser could not send them ({error}).",
    "sending": "Sending",
    "sent": "{files} of {all} files, {done} of {size} MB",
    "checking": "Checking",
    "to_check": "0 of {files}",
    "checked": "{done} done",
    "file_sent": "{done} of {size} MB",
    "added": "{count} added",
    "already_there": "{count} already there",
    "not_added": "{count} not added",
    "mark_not_added": "not added",
    "renamed": "now {name}",
}
