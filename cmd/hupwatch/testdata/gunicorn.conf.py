"""Read by gunicorn from its working directory: every worker says when it serves."""

import os


def post_worker_init(worker):
    release = os.path.basename(os.getcwd())
    line = f'msg="worker ready" release={release} pid={worker.pid}\n'
    os.write(2, line.encode())
