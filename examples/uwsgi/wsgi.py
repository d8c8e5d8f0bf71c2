"""A WSGI application that says which generation of it answers."""

import os
import time
from urllib.parse import parse_qs

NAME = f"pid {os.getpid()} generation {os.environ.get('HUPWATCH_GENERATION', '0')}\n"


def application(environ, start_response):
    """Answer at once, or for /slow?ms=800 after that many milliseconds."""
    if environ["PATH_INFO"] == "/slow":
        query = parse_qs(environ["QUERY_STRING"])
        time.sleep(int(query.get("ms", ["800"])[0]) / 1000)

    body = NAME.encode()
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
