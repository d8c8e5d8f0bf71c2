"""A WSGI application that says which release of it answers, in which process."""

import os
import time
from urllib.parse import parse_qs

# Resolved once, at import: "current" may point elsewhere by the next request.
RELEASE = os.path.basename(os.path.dirname(os.path.realpath(__file__)))
GENERATION = os.environ.get("HUPWATCH_GENERATION", "0")


def app(environ, start_response):
    """Answer at once, or for /slow?ms=800 after that many milliseconds."""
    if environ["PATH_INFO"] == "/slow":
        query = parse_qs(environ["QUERY_STRING"])
        time.sleep(int(query.get("ms", ["800"])[0]) / 1000)

    body = f"{RELEASE} pid {os.getpid()} generation {GENERATION}\n".encode()
    start_response(
        "200 OK",
        [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))],
    )
    return [body]
