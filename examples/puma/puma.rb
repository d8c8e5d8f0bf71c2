# What is accepted is read by a thread at once: puma would drop, at its stop,
# what it has accepted and not read yet. It keeps no connection alive then.
queue_requests false
