package snapshot

import "strings"

// pile is a list that grows without moving: appending to a slice of 250,000 accounts copies it again and again, and has room for up to a
// quarter more in the end.
type pile[T any] struct {
	chunks [][]T
	size   int // of a chunk
	n      int
}

// How many things a chunk holds. The most bounds what a file costs that says it holds many and does not.
const (
	chunkLeast = 1 << 12
	chunkMost  = 1 << 18
)

// expect prepares an empty pile for so many; a pile of no more than these is never copied.
func (p *pile[T]) expect(n int) {
	if p.n == 0 {
		p.size = min(max(n, chunkLeast), chunkMost)
	}
}

func (p *pile[T]) add(v T) {
	if p.size == 0 {
		p.size = chunkLeast
	}
	if p.n%p.size == 0 {
		room := p.size
		if p.size == chunkLeast && p.n == 0 {
			room = 0 // most lists are short
		}
		p.chunks = append(p.chunks, make([]T, 0, room))
	}
	last := &p.chunks[len(p.chunks)-1]
	*last = append(*last, v)
	p.n++
}

func (p *pile[T]) len() int { return p.n }

func (p *pile[T]) at(i int) *T { return &p.chunks[i/p.size][i%p.size] }

// take empties the pile into a list.
func (p *pile[T]) take() []T {
	chunks, n := p.chunks, p.n
	*p = pile[T]{}
	switch len(chunks) {
	case 0:
		return nil
	case 1:
		return chunks[0]
	}
	list := make([]T, 0, n)
	for i, c := range chunks {
		list = append(list, c...)
		chunks[i] = nil
	}
	return list
}

// shelf keeps short texts side by side: each on its own would take up to twice its length, and be one more thing to look after.
type shelf struct{ room strings.Builder }

const shelfRoom = 4096

func (s *shelf) keep(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	if s.room.Cap()-s.room.Len() < len(text) {
		s.room = strings.Builder{}
		s.room.Grow(max(shelfRoom, len(text)))
	}
	at := s.room.Len()
	s.room.Write(text)
	return s.room.String()[at:]
}
