"""What the Analyzer tab and the doctor say around the report itself."""

from __future__ import annotations

RULE = "Photos first, optimizer second: what is wrong in the dataset cannot be trained away."
ANALYZE = "Analyze"
UNDO = "Undo the last change"
CHOOSE_FOLDER = "Choose a dataset folder."
NOT_YET = "Not analyzed yet. It takes seconds and changes nothing. What is looked for:"
LOOKED_FOR = (
    "one and the same person in every photo, the face sharp, large enough and lit",
    "angles, framings and light that are missing",
    "the same photo twice, a series, one place or one shirt too often",
    "captions: the trigger word, clothes and place, nothing that is always so, nothing that contradicts another",
    "files that cannot be read, that are too small, or of which much is cut away",
)
CHANGED_FILES = "Photos or captions were changed since."
CHANGED_TRIGGER = "It was made for the trigger word '{word}'."
CHANGED_RESOLUTION = "It was made for a training at {then} px, not at {now:g}."
OUT_OF_DATE = "This report is out of date."
ANALYZE_AGAIN = "Analyze again."
DOWNLOAD = "Download this report as one HTML file"

# Above Start.
READINESS_NONE = "The photos were not analyzed yet; it takes seconds."
READINESS_OLD = "The last report is out of date."
READINESS_AGAIN = "Press Analyze in the Analyzer tab; it takes seconds."
READINESS = {"ready": "Go ahead.", "train for a test": "Good for a fast test; the final run deserves the fixes.", "fix first": "Training works all the same, but these faults will be in every picture."}

# What a click can do about a finding.
REMEDIES = {
    "exclude": "Leave out", "crop": "Crop to the person", "turn": "Turn upright", "straighten": "Straighten", "set trigger": "Set the trigger word", "shorten": "Shorten", "remove traits": "Remove the traits",
    "caption again": "Add what is measured",
}  # fmt: skip
CAPTION_AGAIN = "Propose new ones: {title}"

# The doctor.
DOCTOR = "The doctor"
DOCTOR_RUN = "Run"
DOCTOR_RUN_HELP = "The newest unless you choose another; failed runs too."
NO_RUN = "No run yet. When one has not become what you hoped for, this says why."
PREPARED = "Prepared against {symptom}, from run {run}. Nothing has started."
PREPARED_NEXT = "All other settings are those of the run. Press Start training when the photos are right."
PHOTOS_FIRST = "First the photos: {what}"
PHOTOS_NOTE = "The photos: {what}"
SEE_PHOTOS = "Look at the photos"
PREPARE = "Prepare these settings"
CAUSE = "Cause."
FIRST = "1. The photos."
THEN = "2. Then."
MORE = "and {count} more"
