"""What is said of runs that wait and of past ones."""

from __future__ import annotations

# Queue.
QUEUE_TITLE = "Waiting runs"
QUEUE_ADD = "Add to queue"
QUEUE_EMPTY = "Nothing waits. With 'Add to queue' several runs train one after the other, through restarts too."
QUEUE_NOT_STARTED = "Not started: {why}"
QUEUE_ROW = "{steps} steps at {side} px on {folder}"
QUEUE_MOVES = {"queue-up": "Up", "queue-down": "Down", "queue-remove": "Remove"}
QUEUE_ASK = "{why} Go on with the rest?"
QUEUE_GO_ON = "Go on"
QUEUE_CLEAR = "Clear the queue"
QUEUE_ADDED = "'{name}' waits for its turn."

# Past runs.
HISTORY_TITLE = "Past runs"
HISTORY_EMPTY = "Runs stand here with their settings, results and files."
HISTORY_MORE = "{count} older ones are not shown."
HISTORY_ENDS = {"finished": "Finished", "stopped": "Stopped", "failed": "Failed", "": "Interrupted"}
HISTORY_LIVE = "Training"
HISTORY_STEPS = "{step} of {steps}"
HISTORY_STEPS_LIVE = "of {steps}"
AS_PRESET = "as {preset}"
CHANGED = "{preset}, {count} changed"
INSTEAD = "{title}: <b>{mine}</b> instead of {theirs}"
NOTE_ADD = "add"
NOTE_ON = "Note on {name}"
NOTE_SAVE = "Save note"
RESUME = "Resume"
LORA_FILE = "LoRA"
LOG_FILE = "Log"
ZIP_FILE = "ZIP"
ZIP_CHOICES = ("LoRA, settings, log, samples", "with checkpoints (large)", "with checkpoints and the photos of the person")
DELETE = "Delete"
DELETE_NAMED = "Delete {name}"
HISTORY_HEADS = ("Run", "When", "Ended", "Steps", "Took", "Held-out loss", "Against the preset", "Note", "")
DELETE_SAID = "'{name}' was moved aside; it can be brought back for {days} days."
UNDO_SAID = "'{name}' is back."
TRASH = "Deleted runs ({count})"
TRASH_GOES = ", goes for good on {day}"
BRING_BACK = "Bring back"
TRASH_EMPTY_NOW = "Delete them for good now"
TRASH_GONE = "{count} runs were deleted for good."
COMPARE_TITLE = "Compare settings"
COMPARE_WITH = "Compare the chosen run with"
COMPARE_SAME = "No setting differs."
NOTE_SAVED = "Note saved."
