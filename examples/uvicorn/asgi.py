"""An ASGI application that says which generation of it answers."""

import asyncio
import os
from urllib.parse import parse_qs

NAME = f"pid {os.getpid()} generation {os.environ.get('HUPWATCH_GENERATION', '0')}\n"


async def application(scope, receive, send):
    """Answer at once, or for /slow?ms=800 after that many milliseconds."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/slow":
        query = parse_qs(scope["query_string"].decode())
        await asyncio.sleep(int(query.get("ms", ["800"])[0]) / 1000)

    body = NAME.encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
