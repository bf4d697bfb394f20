"""What the Dataset tab says: people, photos, captions, uploads."""

from __future__ import annotations

# People.
PEOPLE = "People: add one, or delete everything about one"
NEW_PERSON = "New person"
NEW_PERSON_HELP = "Makes an empty folder of that name for photos."
CREATE = "Create"
WHAT_IS_KEPT = "What is kept of the person chosen above?"
TYPE_THE_NAME = "To delete all of it, type the folder's name"
LORAS_TOO = "Delete the LoRA files too"
DELETE_FOR_GOOD = "Delete for good"
ONLY_WHEN_SAID = " (only when you say so)"
STAYS = "Stays, because the studio did not make it: {paths}."
KEPT_OF = "Kept of <b><bdi>{name}</bdi></b>; nothing was deleted yet."
TRACES_HEADS = ("What", "Files", "Size")
PURGED = "Everything was deleted. Browsers may remember thumbnails for a day."
PURGE_BROKEN_OFF = "The deletion was broken off. Ask for it again."

# Photos.
TOOLS = {
    "exclude": "Exclude", "take-back": "Use again", "turn-left": "Turn left", "turn-right": "Turn right", "restore": "Restore original", "delete-photos": "Delete", "undo": "Undo", "redo": "Redo",
}  # fmt: skip
GRID_HELP = "Arrows move, Space selects, Enter goes to the caption, X excludes or takes back, R turns, Del deletes, Ctrl+Z undoes."
GRID_LABEL = "Photos. {help}"
NO_PHOTOS = "No photos here yet. Drop 15 to 30 into the field for new photos."
SELECT_ALL = "Select all"
SELECT_NONE = "Select none"
MARKS = {"none": "no caption", "trigger": "trigger missing", "excluded": "excluded"}
# What a check is called on a photo, where its own name says too little.
CHECK_MARKS = {
    "contradiction": "captions disagree", "crop": "much is cut away", "lonely bucket": "alone in its shape", "sideways": "lies on its side", "resolution": "too few pixels", "blur": "blurred face", "soft": "soft face", "dark": "dark face",
    "overexposed": "overexposed face", "verbose caption": "long caption", "no face": "no face seen", "duplicate": "exact copy", "file": "cannot be used",
}  # fmt: skip
PICK_ONE = "Pick a photo to see it large."
HAS_ORIGINAL = "It was cropped or turned here; the original is kept."
CROP = "Crop"
CROP_APPLY = "Crop to the frame"
CROP_CANCEL = "Cancel"
CROP_FRAME = "Frame of the crop: arrows move it, Shift and arrows resize it, Enter crops, Escape leaves"
MANY_PHOTOS = "**{count} photos** ({advice}), {captioned} with a caption."
ONE_PHOTO = "**1 photo** ({advice}), {captioned} with a caption."
GOOD_NUMBER = "a good number"
OTHER_NUMBER = "15 to 30 are recommended"
EXCLUDED = "{count} excluded."
ORPHANS = "{count} captions belong to no photo."
ONE_ORPHAN = "1 caption belongs to no photo."
PROBLEMS = "{count} files cannot be used; the Analyzer names them."
ONE_PROBLEM = "1 file cannot be used; the Analyzer names it."

# Captions.
CAPTION = "Caption"
CAPTION_HELP = "Trigger word first, then clothing, place, angle, light. Saved when you go on to another photo."
CAPTION_SAVE = "Save caption"
CAPTION_SAVED = "Caption of {name} saved."
CAPTION_STEP = "caption of {name}"
CAPTION_LOST = "What was typed for {name} was not saved: '{text}'. {why}"
CHECKS = {True: "good", False: "to fix"}
BULK = "Edit many captions at once"
BULK_KIND = "What to do"
BULK_KIND_HELP = "With the selected photos; with all when none is selected."
BULK_KINDS = {"trigger": "Set the trigger word", "front": "Put words in front", "replace": "Find and replace", "traits": "Remove permanent traits", "shorten": "Shorten to {words} words"}
BULK_FIND = "Find"
BULK_WORDS = "Words"
BULK_PREVIEW = "Preview"
BULK_APPLY = "Apply"
BULK_APPLY_TO = "Apply to {count} captions"
BULK_APPLY_TO_ONE = "Apply to 1 caption"
BULK_APPLIED = "Applied. Undo takes it back."
BULK_NOTHING = "Nothing would change in {count} photos."
BULK_HEADS = ("Photo", "Before and after")

# Captions made here.
PROPOSE_TITLE = "Caption them for me"
WHICH = {"missing": "Photos without a caption", "machine": "These and captions made here that nobody changed", "all": "The selected photos"}
WHICH_LABEL = "Which photos"
WHICH_HELP = "Nothing is written before you accept it."
WHO = "Who writes"
FACTS_TITLE = "Measured facts, no model"
FACTS_ABOUT = "Framing, angle and light as they were measured. Nothing to download; takes seconds."
MODEL_TITLE = "{title}, about {gigabytes:.1g} GB"
OWN_MODEL = "A model of your own."
MODEL_HERE = "{about} It is on this machine; its memory is freed before it ends."
MODEL_AWAY = "{about} Not on this machine yet: about {gigabytes:.1g} GB to download, {free:.0f} GB of disk are free. No account is needed."
DOWNLOAD = "Download it"
PROPOSE = "Propose captions"
STOP = "Stop"
ACCEPT = "Accept"
REJECT = "Reject"
ACCEPT_ALL = "Accept all"
ACCEPT_ALL_OF = "Accept all {count}"
REJECT_ALL = "Reject all"
ANSWER_FOR = "{answer} the caption of {name}"
WRITTEN = "{count} captions written. Undo takes it back."
ONE_WRITTEN = "1 caption written. Undo takes it back."
ENDS = {
    "stopped": "Stopped; what was proposed until then is below.", "interrupted": "Stopped when the server went down; what was proposed until then is below.", "running": "Broken off; what was proposed until then is below.",
}  # fmt: skip

# Uploads.
UPLOAD = "Add photos"
UPLOAD_HOW = "drop them here, or choose"
UPLOAD_KINDS = "JPG, PNG, WebP; captions (.txt) of the same name; folders; ZIP"
UPLOAD_CANCEL = "Cancel"
UPLOAD_DONE = "Uploaded"
UPLOAD_TO = "New photos go into <bdi>{name}</bdi>; camera data and positions are left out."
