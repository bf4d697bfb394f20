"""What the Training tab says: presets, forecast, the running run, the base model. Help of single settings stands with their declaration in core/settings.py."""

from __future__ import annotations

# The form and its buttons.
PRESET = "Preset"
START = "Start training"
RUN = "Run"
RUN_HELP = "The newest unless you choose another."
STOP = "Stop and save"
RESUME = "Resume"
ADVANCED = "Advanced: every setting"
GUIDE_SECTIONS = ("Training Profiles", "Text Encoder Policy", "Troubleshooting")
ADVICE_FOR = "Training the text encoder may help here."
ADVICE_AGAINST = "The guide would keep the text encoder frozen here."
CLASS_PHOTOS = "Draw {count} class photos"
CLASS_PHOTOS_TITLE = "Class photos:"
CLASS_PHOTOS_DONE = "**{count} class photos are drawn.** Choose their folder under Advanced, Class photos."
CLASS_PHOTOS_STOPPED = "**Class photos:** stopped. Press the button again to draw the rest."

# Forecast.
FORECAST_TITLE = "What this run will take"
FORECAST_WORKING = "Working it out ..."
FORECAST_BUSY = "Something is running. The forecast comes when the device is free."
FORECAST_ROWS = {"time": "Time", "price": "Price", "memory": "Memory", "disk": "Disk"}
FORECAST_TIME = "about {time}"
FORECAST_SAMPLES = "and {time} for samples"
FORECAST_MEMORY = "<b>{peak}</b> of {free} free"
FORECAST_DISK = "up to <b>{disk}</b>, {free} are free"
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

DIFFERS_REST = "{count} finer ones differ too; every setting stands under Advanced."

# The running run.
STATES = {"new": "Waiting", "running": "Training", "finished": "Finished", "stopped": "Stopped", "failed": "Failed", "interrupted": "Interrupted"}
STOPPING = "Stopping, saving"
BAR = "Steps done"
FACTS = {"step": "step {step} of {steps}", "phase": "{phase} {done} of {total}", "speed": "{seconds:.2f} s per step", "left": "about {time} left", "loss": "loss {loss:.4f}", "memory": "{gib:.1f} GiB memory", "took": "took {time}"}
INTERRUPTED = "The process ended without finishing this run. {kept} Press Resume."
KEPT_UP_TO = "Everything up to step {step} is saved."
KEPT_NOTHING = "No checkpoint was saved yet; it starts over."
FINISHED_NEXT = "The LoRA is ready. Next: <b>Evaluation</b>."
DOWNLOAD_LORA = "Download {name}.safetensors"
STOPPED_NEXT = "Saved. Press Resume to go on."
DOWNLOAD_SO_FAR = "Download what was learned so far"
RUNNING_NOW = "Running now: {job}."
STOPPED_EARLY = "Stopped early at step {step}, which saved {saved}. The LoRA is that of step {best}. {reason}"
SAVED_TIME = "about {time}"
SAVED_MONEY = " and {money:.2f} of what the machine costs"
PLOTS = {"loss": "Loss", "likeness": "Likeness of the samples", "rate": "Learning rate"}
LIKENESS_LEVELS = "Below {weak:.2f} not the person, from {weak:.2f} weak, from {good:.2f} good, from {excellent:.2f} excellent; 1 is as alike as the photos are to each other."
LIKENESS_AT = "at step {step}."
SIGNS = {"undertrained": "Still learning", "overtrained": "Nothing gained lately", "copying": "Copying a photo"}
SAMPLE_STEP = "step {step}"
SAMPLE_BASE = "base model"
SAMPLE_COMPARE = "Compare {label} at full size"
LOG_LABEL = "Log"
LOG_FILTER = "Log filter"
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

# What the log says of a run (core/events.py has what happened, these are the words).
LOG_STARTED = "started: {job}"
LOG_RESUMED = "resumed at step {step}"
LOG_STEP = "step {step}  loss {loss:.4f}  lr {rate:.2e}  grad {norm:.3f}  {seconds:.2f} s"
LOG_FIXED = "step {step}  fixed-noise loss {loss:.4f}"
LOG_HELD_OUT = ", held out {loss:.4f}"
LOG_LIKENESS = "step {step}  {likeness}"
LOG_EARLY = "stopped early at step {step}; the LoRA is that of step {best}"
LOG_CHECKPOINT = "checkpoint of step {step} saved"
LOG_WRITTEN = "written: {file}"
LOG_NOTE = "note: {what}"
LOG_FINISHED = "finished"
LOG_STOPPED = "stopped after step {step}"
LOG_FAILED = "FAILED: {what}"
LIKENESS_UNKNOWN = "likeness not known: no face in {pictures} samples"
LIKENESS_KNOWN = "likeness {mean:.2f}, {level}"
LIKENESS_FACES = ", a face in {faces} of {pictures} samples"
CURVES = {"step": "each step", "smoothed": "smoothed", "fixed": "fixed noise", "held_out": "held out"}

# Model.
MODEL_LINK = "The model and its licence on Hugging Face"
MODEL_UNTIL_THEN = "Until then the pocket FLUX ({path}) is there for rehearsal."
MODEL_STOPPING = "Stopping; what is here is kept."
MODEL_MISSING = "{missing:.1f} of {total:.1f} GiB are still to come; the disk has {free:.1f} GiB left."
MODEL_NO_ROOM = "That is not enough."
MODEL_DOWNLOAD = "Download"
MODEL_COUNTED = "{done:.1f} of {total:.1f} GiB, {share:.0f} %"
MODEL_HERE = "FLUX.1-dev is here"
MODEL_HERE_NEXT = "after {time}. Choose it as base model."
MODEL_NOT_FINISHED = "Not finished"
MODEL_KEPT = "What is here is kept; the download goes on from there."
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
