package snapshot

import "strings"

// pile is a list that grows without moving: appending to a slice of 250,000 accounts copies it again and again, and has room for up to a
// quarter more in the end.
type pile[T any] struct {
	chunks [][]T
	n      int
}

const pileChunk = 4096

func (p *pile[T]) add(v T) {
	if p.n%pileChunk == 0 {
		room := pileChunk
		if p.n == 0 {
			room = 0 // most lists are short
		}
		p.chunks = append(p.chunks, make([]T, 0, room))
	}
	last := &p.chunks[len(p.chunks)-1]
	*last = append(*last, v)
	p.n++
}

func (p *pile[T]) len() int { return p.n }

// last is the newest of a pile that is not empty.
func (p *pile[T]) last() *T {
	c := p.chunks[len(p.chunks)-1]
	return &c[len(c)-1]
}

// take empties the pile into a list of exactly its length.
func (p *pile[T]) take() []T {
	if p.n == 0 {
		return nil
	}
	list := make([]T, 0, p.n)
	for i, c := range p.chunks {
		list = append(list, c...)
		p.chunks[i] = nil
	}
	*p = pile[T]{}
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
