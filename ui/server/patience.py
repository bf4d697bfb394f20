"""How long the server waits for a request to be sent: a client that opens connections and says nothing cannot use them all up."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS_FOR_A_REQUEST = 20


class PatientProtocol(H11Protocol):
    """uvicorn's, which by itself waits for ever for the first request line and its headers."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._patience = self.loop.call_later(SECONDS_FOR_A_REQUEST, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._patience.cancel()  # it would hold all there is of this connection until then
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()
