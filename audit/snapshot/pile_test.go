package snapshot

import (
	"strings"
	"testing"
)

func TestAPileGivesBackWhatWasPutOnIt(t *testing.T) {
	for _, expected := range []int{-1, 0, 3, chunkLeast, 2*chunkLeast + 5, chunkMost + 1} {
		for _, n := range []int{0, 1, 3, chunkLeast, chunkLeast + 1, 3*chunkLeast + 2} {
			var p pile[int]
			p.expect(expected)
			for i := range n {
				p.add(i)
			}
			if p.len() != n || n > 0 && *p.at(n - 1) != n-1 || n > 0 && *p.at(n / 2) != n/2 {
				t.Errorf("%d expected, %d put: it holds %d", expected, n, p.len())
			}
			list := p.take()
			if len(list) != n || p.len() != 0 {
				t.Fatalf("%d expected, %d put: %d came back and %d stayed", expected, n, len(list), p.len())
			}
			for i, v := range list {
				if v != i {
					t.Fatalf("%d expected, %d put: %d at %d", expected, n, v, i)
				}
			}
		}
	}
}

func TestAFileThatLiesAboutItsSizeCostsLittle(t *testing.T) {
	var p pile[[56]byte]
	p.expect(1 << 40)
	p.add([56]byte{})
	if got := cap(p.chunks[0]); got > chunkMost {
		t.Errorf("room for %d", got)
	}
}

func TestAShelfKeepsTextsApart(t *testing.T) {
	var s shelf
	var want, got []string
	buffer := make([]byte, 0, 2*shelfRoom)
	for i := range 300 {
		text := strings.Repeat(string(rune('a'+i%26)), i*i%(shelfRoom+70))
		buffer = append(buffer[:0], text...) // as a lexer does, which uses its buffer again
		want, got = append(want, text), append(got, s.keep(buffer))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("text %d of %d bytes: %.20q…", i, len(want[i]), got[i])
		}
	}
}
