"""Mask: takes the secrets of this process out of every text that is logged, stored or shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TextIO

HIDDEN = "[hidden]"
# What tokens of the Hugging Face hub and keys of RunPod look like, wherever they come from.
KNOWN_FORMS = re.compile(r"\b(?:hf|api_org|rpa)_[A-Za-z0-9]{10,}")
SHORTEST = 8  # characters; a shorter value would be found in ordinary words


class Mask:
    """Hides the given secrets and everything that has the form of one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted({secret for secret in secrets if len(secret) >= SHORTEST}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return KNOWN_FORMS.sub(HIDDEN, text)


class MaskedStream:
    """A text stream that hides secrets: tracebacks and libraries' logs pass through it too."""

    def __init__(self, stream: TextIO, mask: Mask) -> None:
        self._stream = stream
        self._mask = mask

    def write(self, text: str) -> int:
        self._stream.write(self._mask(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
