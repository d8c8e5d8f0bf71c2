package output

import "encoding/binary"

// entry is one line in a ring. Its text is raw.
type entry struct {
	at         int64 // nanoseconds since 1970
	generation int
	instance   int
	stream     Stream
	text       []byte
}

// header is what goes before the text of each entry.
const header = 8 + 4 + 4 + 1 + 2

// ring keeps the last entries, in limit bytes at most, which it allocates as they are
// needed. most limits the number of entries; 0 is no limit.
type ring struct {
	limit, most int

	bytes       []byte // the entries begin at start and go on at its front
	start, size int
	count       int
}

// add appends an entry and lets go of the oldest ones.
func (r *ring) add(e entry) {
	e.text = e.text[:min(len(e.text), r.limit-header)]
	need := header + len(e.text)
	for r.size+need > r.limit || r.most > 0 && r.count >= r.most {
		r.drop()
	}
	r.grow(r.size + need)

	var h [header]byte
	binary.LittleEndian.PutUint64(h[:], uint64(e.at))
	binary.LittleEndian.PutUint32(h[8:], uint32(e.generation))
	binary.LittleEndian.PutUint32(h[12:], uint32(e.instance))
	if e.stream == Err {
		h[16] = 1
	}
	binary.LittleEndian.PutUint16(h[17:], uint16(len(e.text)))
	r.write(h[:])
	r.write(e.text)
	r.count++
}

// last returns the last n entries, all of them if n is negative.
func (r *ring) last(n int) []entry {
	entries := make([]entry, 0, r.count)
	for at := 0; at < r.size; {
		h := r.read(at, header)
		e := entry{
			at:         int64(binary.LittleEndian.Uint64(h)),
			generation: int(binary.LittleEndian.Uint32(h[8:])),
			instance:   int(binary.LittleEndian.Uint32(h[12:])),
			stream:     Out,
		}
		if h[16] == 1 {
			e.stream = Err
		}
		length := int(binary.LittleEndian.Uint16(h[17:]))
		e.text = r.read(at+header, length)
		entries = append(entries, e)
		at += header + length
	}
	if n < 0 {
		return entries
	}
	return entries[max(0, len(entries)-n):]
}

func (r *ring) drop() {
	h := r.read(0, header)
	length := header + int(binary.LittleEndian.Uint16(h[17:]))
	r.start = (r.start + length) % len(r.bytes)
	r.size -= length
	r.count--
}

// grow makes room for a number of bytes.
func (r *ring) grow(need int) {
	if need <= len(r.bytes) {
		return
	}
	bytes := make([]byte, min(r.limit, max(need, 2*len(r.bytes))))
	copy(bytes, r.read(0, r.size))
	r.bytes, r.start = bytes, 0
}

func (r *ring) write(p []byte) {
	at := (r.start + r.size) % max(1, len(r.bytes))
	n := copy(r.bytes[at:], p)
	copy(r.bytes, p[n:])
	r.size += len(p)
}

// read returns a copy of n bytes.
func (r *ring) read(at, n int) []byte {
	p := make([]byte, n)
	if n > 0 {
		m := copy(p, r.bytes[(r.start+at)%len(r.bytes):])
		copy(p[m:], r.bytes)
	}
	return p
}
