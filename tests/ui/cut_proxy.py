"""A proxy as bad as any: connections are cut when they have carried so many bytes towards the server, or lasted so long; TLS may end here."""

import asyncio
import contextlib
import ssl
import threading


class CutProxy:
    """Forwards 127.0.0.1:port to a server; `cuts` counts the connections it broke.

    `seconds` is the longest life of a connection, `tls` what browsers speak to it with, `header` a line put into the first request of each connection.
    """

    def __init__(self, server_port: int, cut_after: int = 1 << 60, seconds: float | None = None, tls: ssl.SSLContext | None = None, header: bytes = b"") -> None:
        self.server_port, self.cut_after, self.cuts, self.port = server_port, cut_after, 0, 0
        self.seconds, self.tls, self.header = seconds, tls, header
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self):
        server = self._loop.run_until_complete(asyncio.start_server(self._carry, "127.0.0.1", 0, ssl=self.tls))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self):
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _carry(self, browser, answer):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:  # the server is away
            answer.close()
            return
        back = asyncio.ensure_future(self._copy(reader, answer))
        with contextlib.suppress(OSError, asyncio.CancelledError):
            try:
                async with asyncio.timeout(self.seconds):
                    await self._forward(browser, writer)
            except TimeoutError:
                self.cuts += 1
        writer.close()
        answer.close()
        back.cancel()

    async def _forward(self, browser, writer):
        carried = 0
        while data := await browser.read(16384):
            if self.header and carried == 0:
                line, end, rest = data.partition(b"\r\n")
                data = line + end + self.header + end + rest
            carried += len(data)
            if carried > self.cut_after:
                self.cuts += 1
                break
            writer.write(data)
            await writer.drain()

    async def _copy(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()
