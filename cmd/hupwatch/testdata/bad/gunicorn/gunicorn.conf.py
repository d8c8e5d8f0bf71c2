"""Read by gunicorn from its working directory: every worker says when it serves."""

import os
import sys
import threading
from pathlib import Path

FAULT = Path("fault").read_text() if Path("fault").exists() else ""


def crash():
    open("gate", "rb").read(1)  # until the test lets it go on
    sys.stderr.write("MemoryError: the cache is too large\n")
    os._exit(7)


def when_ready(server):
    if FAULT == "crash":
        threading.Thread(target=crash, daemon=True).start()


def post_worker_init(worker):
    if FAULT == "ready":
        raise RuntimeError("the cache cannot be opened")
    release = os.path.basename(os.getcwd())
    service = os.environ["HUPWATCH_SERVICE"]
    line = f'msg="worker ready" service={service} release={release} pid={worker.pid}\n'
    os.write(2, line.encode())
