"""What the Hugging Face hub's errors mean for a person: one sentence and one fix each. Never repeats addresses (they may be signed) or the token."""

from __future__ import annotations

from huggingface_hub.errors import DisabledRepoError, GatedRepoError, HfHubHTTPError, HTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

from core.errors import Refused

MAKE_A_TOKEN = "make a token (type Read) at https://huggingface.co/settings/tokens and set HF_TOKEN to it"


def explain(error: Exception, hub_id: str, token: str | None) -> Refused:
    """The sentence for what a call to the hub raised."""
    page = f"https://huggingface.co/{hub_id}"
    if isinstance(error, OfflineModeIsEnabled):
        return Refused("The hub is switched off here (HF_HUB_OFFLINE).", hub_id, "Unset HF_HUB_OFFLINE, or set MODEL_PATH to a folder that is on this machine.")
    if isinstance(error, GatedRepoError):
        if token is None:
            return Refused(f"{hub_id} is gated, and no token is set.", page, f"Accept its licence on that page, {MAKE_A_TOKEN}.")
        return Refused(f"{hub_id} is gated, and the account of this token has no access to it.", page, "Accept its licence on that page with the same account; a fine-grained token also needs read access to gated repositories.")
    if isinstance(error, DisabledRepoError):
        return Refused(f"{hub_id} was disabled by the hub.", page, "Choose another FLUX.1-dev.")
    unauthorized = isinstance(error, HfHubHTTPError) and error.response.status_code == 401
    if unauthorized and token is not None:
        return Refused("The hub does not accept this token.", page, f"Check HF_TOKEN, or {MAKE_A_TOKEN}.")
    if unauthorized or isinstance(error, RepositoryNotFoundError):
        return Refused(f"There is no repository {hub_id} on the hub, or it is private.", page, f"Check the name; for a private one {MAKE_A_TOKEN}.")
    if isinstance(error, HfHubHTTPError):
        return Refused(f"The hub answered with status {error.response.status_code}.", page, "Try again in some minutes.")
    if isinstance(error, HTTPError | OSError):
        return Refused("The hub cannot be reached.", page, "Check the network; what was downloaded is kept. Without network set MODEL_PATH to a folder that is on this machine.")
    return Refused(f"This is no hub id: {hub_id}", "MODEL_PATH", "It has the form owner/name, such as black-forest-labs/FLUX.1-dev.")
