"""A WSGI application of one release. The file fault, if there is one, says what is wrong with it."""

import os
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs

RELEASE = os.path.basename(os.getcwd())
FAULT = Path("fault").read_text() if Path("fault").exists() else ""


if FAULT.startswith("boot "):  # and then another one, or none
    time.sleep(float(FAULT.split()[1]))
    FAULT = (FAULT.split() + [""])[2]
if FAULT == "import":
    import no_such_module  # noqa: F401
if FAULT == "hang":
    print("connecting to the database", file=sys.stderr)
    open("gate", "rb").read(1)  # until the test lets it go on


def app(environ, start_response):
    """Answer at once, for /slow?ms=800 after that many milliseconds, for /held?by=PATH
    when the test closes that FIFO."""
    status = "200 OK"
    query = parse_qs(environ["QUERY_STRING"])
    if environ["PATH_INFO"] == "/slow":
        time.sleep(int(query["ms"][0]) / 1000)
    if environ["PATH_INFO"] == "/held":
        open(query["by"][0], "rb").read()
    if environ["PATH_INFO"] == "/healthz" and FAULT == "sick":
        print("OperationalError: no such table: users", file=sys.stderr)
        status = "500 Internal Server Error"

    if FAULT == "error":
        status = "500 Internal Server Error"
    if FAULT == "mortal" and environ["PATH_INFO"] == "/end":
        os.kill(os.getppid(), 15)  # the server ends, and leaves nothing unanswered

    body = f"{RELEASE} {os.getpid()}\n".encode()
    start_response(
        status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    )
    return [body]
