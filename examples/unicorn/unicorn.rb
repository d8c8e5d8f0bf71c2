worker_processes 6
timeout 30
