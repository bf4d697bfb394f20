"""What the page says in its frame and on the Training tab: titles, help, empty states and sentences. Help of single settings stands with their declaration in core/settings.py."""

from __future__ import annotations

# The guided path.
PATH_TITLE = "From photos to a LoRA"
PATH_STEPS = {"photos": "Photos", "check": "Check", "fast": "Fast run", "look": "Look", "final": "Final run", "pick": "Pick"}
REHEARSAL_STEPS = {"photos": "Photos", "check": "Check", "demo": "Demo run", "look": "Look", "own": "Your photos"}
PATH_NEXT = {
    "photos": ("Add 15 to 30 photos of one person, each with a caption.", "Add photos"),
    "captions": ("Photos without a caption: {count}. A caption names what is not the person.", "Write captions"),
    "few": ("{count} photos are here; 15 to 30 give a likeness that holds from every side.", "Add photos"),
    "check": ("Have the photos checked: seconds, and nothing is changed.", "Check the photos"),
    "recheck": ("The check found something to put right before you train.", "See what"),
    "model": ("Fast and Final need FLUX.1-dev, which is not on this machine yet.", "Set up the model"),
    "fast": ("Train a Fast run: a first look at whether the photos carry the person.", "Go to training"),
    "demo": ("Train the Demo: the whole way in minutes, on drawn people, without a GPU.", "Go to training"),
    "running": ("'{name}' is running. You may close the page; it goes on.", "Watch it"),
    "look": ("Look at the samples, then draw a strength grid. Is it the person?", "Draw the grid"),
    "final": ("It looks like the person? Then train the Final run.", "Go to training"),
    "pick": ("Draw the grid of the Final run and pick the strength you like best.", "Draw the grid"),
    "own": ("That was the whole way. Now with photos of your own.", "Use my photos"),
    "done": ("Done: the LoRA and its best strength are yours. Download it under Training, Past runs.", "Past runs"),
}
REHEARSE = "Rehearse with a drawn person first"
REHEARSE_HELP = "The pocket FLUX: the same steps in minutes, without a GPU, a token or a download."

# Forecast.
FORECAST_TITLE = "What this run will take"
FORECAST_WORKING = "Working it out ..."
FORECAST_BUSY = "Something is running. The forecast comes when the device is free."
FORECAST_ROUGH = "very roughly, from how fast this machine multiplies"
PRICE_NONE = "Put in below what an hour costs."
PRICE_ABOUT = "about {price:.2f}"
PRICE_LEAST = "less than 0.01"
PHASES = {"captions": "captions", "photos": "photos", "training": "training", "samples": "samples"}

# Presets.
DIFFERS_TITLE = "How the presets differ"
DIFFERS_PLAIN = {
    "train.steps": "Steps", "dataset.resolution": "Picture size, pixels", "lora.rank": "Size of the LoRA (rank)", "train.gradient_accumulation_steps": "Photos a step", "lora.dropout": "Dropout, against memorising",
    "optimizer.learning_rate": "Learning rate", "optimizer.lr_scheduler": "Course of the learning rate", "train.noise_offset": "Noise offset", "train.snr_gamma": "SNR gamma", "model.path": "Base model",
}  # fmt: skip

# The running run.
SAVE_NOW = "Save now"
SAVE_NOW_SAID = "Saving after this step; the LoRA can be downloaded then."
SAMPLE_NOW = "Sample now"
SAMPLE_NOW_SAID = "Drawing after this step."
NOTHING_RUNS = "Nothing is being trained."
STOP_SAID = "Finishing this step, then saving."
LOG_LEVELS = {"note": "Notes", "warning": "Warnings", "error": "Errors"}
LOG_SEARCH = "Search the log"
LOG_NONE = "Nothing in the log matches."
NO_SAMPLES = "Samples appear here while training: the base model first, then the LoRA every few steps. Click one to compare it with the base."
NO_RUN = "<b>No run yet.</b><br>Choose a preset and press Start. Demo takes minutes and needs no GPU; Fast is the first look with your photos."
NOTICES = {"sound": "Sound when it ends", "notify": "Notification when it ends"}

# Queue.
QUEUE_TITLE = "Waiting runs"
QUEUE_ADD = "Add to queue"
QUEUE_EMPTY = "Nothing waits. With 'Add to queue' several runs train one after the other, through restarts too."
QUEUE_ASK = "{why} Go on with the rest?"
QUEUE_GO_ON = "Go on"
QUEUE_CLEAR = "Clear the queue"
QUEUE_ADDED = "'{name}' waits for its turn."

# Past runs.
HISTORY_TITLE = "Past runs"
HISTORY_EMPTY = "Runs stand here with their settings, results and files."
HISTORY_HEADS = ("Run", "When", "Ended", "Steps", "Took", "Held-out loss", "Against the preset", "Note", "")
DELETE_SAID = "'{name}' was moved aside; it can be brought back for {days} days."
UNDO_SAID = "'{name}' is back."
TRASH = "Deleted runs ({count})"
TRASH_EMPTY_NOW = "Delete them for good now"
TRASH_GONE = "{count} runs were deleted for good."
COMPARE_TITLE = "Compare settings"
COMPARE_WITH = "Compare the chosen run with"
COMPARE_SAME = "No setting differs."
NOTE_SAVED = "Note saved."

# Model.
MODEL_TITLE = "Base model: set up FLUX.1-dev"
MODEL_TERMS = (
    "FLUX.1-dev is published by Black Forest Labs under the <b>FLUX.1 [dev] Non-Commercial License</b>: the model and LoRAs made from it may not be used commercially without a licence from them. "
    "You accept it once, on the model's page on Hugging Face, with your own account."
)
MODEL_WAYS = (
    "Two ways: put a folder of FLUX.1-dev (diffusers layout) or a single transformer file into <code>models/</code> and choose it as base model; or download it here, about 32 GB, into the Hugging Face cache."
)
TOKEN_SET = "HF_TOKEN is set: the download can begin once the licence is accepted."
TOKEN_MISSING = "HF_TOKEN is not set. Make a token (type Read) on huggingface.co, set it as HF_TOKEN where the studio is started (on RunPod: a secret of the pod), and start the studio anew. It is never typed into this page."
MODEL_LOOK = "What would the download take?"
MODEL_GET = "Download, or go on with it"
MODEL_STOP = "Stop the download"
MODEL_NO_JOB = "No download was asked for yet."

# The pod's own end.
POD_TITLE = "Stop of the pod"
POD_ASK = "Stop the pod when all is done"
POD_OFF = "Off. After the last run, and every download, {minutes} minutes are counted down; until then it can be called off."
POD_WAITING = "The pod will be stopped when all is done."
POD_COUNTING = "The pod stops soon. Download what you need."
POD_STOPPING = "The pod is being stopped."
POD_FAILED = "The pod could not be stopped."
POD_STAY = "Keep it running"

# Help from the guide.
GUIDE_TITLE = "What the guide says"
