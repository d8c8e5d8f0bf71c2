package notify

// Status returns the latest Status and leaves the rest to be taken. It is newer
// than what hear was called for if the generation changes it very often.
func (k *Socket) Status() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.message.Status
}

// Refused counts the datagrams that were dropped: from users who have no say, or
// too long.
func (k *Socket) Refused() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.refused
}
