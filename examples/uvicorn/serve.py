"""Run the application in a uvicorn that stops without losing a request."""

import os
import socket

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from asgi import application

SETTLE = 1.0  # how long a connection must have been idle before it is closed

stopping = False


class Protocol(AutoHTTPProtocol):
    """A connection that is not closed as a request arrives on it."""

    def shutdown(self):
        """Close later what uvicorn closes at once: idle and unread connections."""
        global stopping
        stopping = True
        self.loop.call_later(SETTLE, super().shutdown)


async def polite(scope, receive, send):
    """Tell whoever asks during the stop that the connection closes."""

    async def tell(message):
        if stopping and message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"connection", b"close")]
            message = {**message, "headers": headers}
        await send(message)

    await application(scope, receive, tell)


if __name__ == "__main__":
    fds = range(3, 3 + int(os.environ["LISTEN_FDS"]))
    config = uvicorn.Config(polite, http=Protocol, access_log=False)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=fd) for fd in fds])
