"""How long the server waits for a request to be sent: a client that opens connections and says nothing, or never ends, cannot use them all up."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS_FOR_A_REQUEST = 20


class PatientProtocol(H11Protocol):
    """uvicorn's, which by itself waits for ever: for the first request, and, as long as a byte comes now and then, for the next one and for a body whose answer was given long ago."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._patience = self.loop.call_later(SECONDS_FOR_A_REQUEST, self._give_up)

    def on_response_complete(self) -> None:
        self._patience.cancel()
        self._patience = self.loop.call_later(SECONDS_FOR_A_REQUEST, self._give_up)
        super().on_response_complete()  # may begin the next request, which then is under way when patience ends

    def connection_lost(self, exc: Exception | None) -> None:
        self._patience.cancel()  # it would hold all there is of this connection until then
        super().connection_lost(exc)

    def _give_up(self) -> None:
        """What is being answered is left alone: a download may take its hours."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if not is_answering and not self.transport.is_closing():
            self.transport.close()
