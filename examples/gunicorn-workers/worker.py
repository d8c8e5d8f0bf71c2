"""The uvicorn worker of gunicorn, stopping without losing a request."""

from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.workers import UvicornWorker

import asgi

SETTLE = 1.0  # how long a connection must have been idle before it is closed

stopping = False


class Protocol(AutoHTTPProtocol):
    """A connection that is not closed as a request arrives on it."""

    def shutdown(self):
        """Close later what uvicorn closes at once: idle and unread connections."""
        global stopping
        stopping = True
        self.loop.call_later(SETTLE, super().shutdown)


class Worker(UvicornWorker):
    """What --worker-class names."""

    CONFIG_KWARGS = {**UvicornWorker.CONFIG_KWARGS, "http": Protocol}


async def application(scope, receive, send):
    """Tell whoever asks during the stop that the connection closes."""

    async def tell(message):
        if stopping and message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"connection", b"close")]
            message = {**message, "headers": headers}
        await send(message)

    await asgi.application(scope, receive, tell)
