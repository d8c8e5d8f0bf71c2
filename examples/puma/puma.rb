# What is accepted is read by a thread at once: puma would drop, at its stop,
# what it has accepted and nobody has read yet. For slow clients have a proxy in
# front.
queue_requests false
