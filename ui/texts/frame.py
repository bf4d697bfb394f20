"""What the page says in its frame: masthead, gauges, guided path, the pod's end, what buttons inside our HTML answer."""

from __future__ import annotations

TITLE = "Identity LoRA Studio"
SUBTITLE = "a LoRA of one person, with FLUX.1-dev"
LOG_OUT = "Log out"
LOG_OUT_HELP = "Ends the login of every browser, this one too. A running training goes on. The access token opens the page again; it stands in the studio's log."
LOG_OUT_EVERYWHERE = "Log out everywhere"
TABS = {"dataset": "1 Dataset", "analyzer": "2 Analyzer", "training": "3 Training", "evaluation": "4 Evaluation"}
REFUSED_TITLE = "That cannot be done"
REFUSED_WHERE = "Where: {where}"
NOT_UNDERSTOOD = "The request cannot be understood: {part}: {fault}."
NOT_UNDERSTOOD_FIX = "Reload the page. A file whose name is not valid text has to be renamed first."
HALF_CHARACTER = "The text holds half a character, such as a cut emoji."
HALF_CHARACTER_FIX = "Delete it where the question mark stands, and write it again."

# Gauges.
GAUGES_LABEL = "Machine"
GAUGES_NO_GPU = "No GPU: rehearsal and looking only"
GAUGES_DISK = "Disk <b>{free:.0f} GiB</b> free"
GAUGES_TIGHT = "(tight)"

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
STEP_STATES = {"done": "done", "now": "next", "later": "later"}
REHEARSE = "Rehearse with a drawn person first"
REHEARSE_HELP = "The pocket FLUX: the same steps in minutes, without a GPU, a token or a download."

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
