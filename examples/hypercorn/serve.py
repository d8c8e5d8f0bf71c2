"""Run the application in a hypercorn that stops without losing a request."""

import asyncio
import os
import signal

from hypercorn.asyncio import serve
from hypercorn.config import Config

import asgi

SETTLE = 1.0  # how long clients are told that their connections close, before it stops

stopping = False
answering = 0  # requests under way


async def application(scope, receive, send):
    """Answer; tell whoever asks during the stop that the connection closes."""
    global answering
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)

    async def tell(message):
        if stopping and message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"connection", b"close")]
            message = {**message, "headers": headers}
        await send(message)

    answering += 1
    try:
        await asgi.application(scope, receive, tell)
    finally:
        answering -= 1


async def lifespan(receive, send):
    """Hold up the end until every request is answered.

    hypercorn does not wait for those that come in the instant of its stop.
    """
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    while answering:
        await asyncio.sleep(0.05)
    await send({"type": "lifespan.shutdown.complete"})


async def main():
    """Serve until a while after a TERM."""
    config = Config()
    config.bind = [f"fd://{fd}" for fd in range(3, 3 + int(os.environ["LISTEN_FDS"]))]
    config.graceful_timeout = 25  # its own is 3 s, which cuts slow requests
    terminated = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)

    async def stop():
        global stopping
        await terminated.wait()
        stopping = True
        await asyncio.sleep(SETTLE)

    await serve(application, config, shutdown_trigger=stop)


if __name__ == "__main__":
    asyncio.run(main())
