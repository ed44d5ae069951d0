package guard

import (
	"hash/maphash"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gaissmai/bart"

	"gatecamp/enforcement"
)

// shards is how many parts the index has. One more block copies one part and the list of parts; nothing else.
const shards = 1024

// key is a subject within a namespace, of every scope but addresses.
type key struct {
	ns    enforcement.Namespace
	id    uint64
	guild uint64
	text  string
	scope enforcement.Scope
}

func keyOf(ns enforcement.Namespace, s *enforcement.Subject) key {
	return key{ns: ns, id: s.ID, guild: s.Guild, text: s.Text, scope: s.Scope}
}

// words are the texts of blocks; equal ones are kept once.
type words struct {
	reason, message, rule, owner string
	status                       int
	also                         enforcement.Also
}

// entry is a block as the index keeps it.
type entry struct {
	key      key
	net      netip.Prefix // of addresses
	end      int64        // microseconds; 0: permanent
	revision int64
	id       int64
	words    *words
	gone     bool // taken back: kept until no older news of it can come
}

func (e *entry) active(at int64) bool { return !e.gone && (e.end == 0 || at < e.end) }

func (e *entry) block() enforcement.Block {
	b := enforcement.Block{
		ID: e.id, Revision: e.revision, Namespace: e.key.ns,
		Subject: enforcement.Subject{Scope: e.key.scope, ID: e.key.id, Guild: e.key.guild, Text: e.key.text, Net: e.net},
		Also:    e.words.also, Reason: e.words.reason, Message: e.words.message, Status: e.words.status, Rule: e.words.rule, Owner: e.words.owner,
	}
	if e.end != 0 {
		b.End = time.UnixMicro(e.end).UTC()
	}
	return b
}

// shard is an immutable table with open addressing; a tag of 0 is a free place.
type shard struct {
	tags []uint64
	refs []*entry
	used int
}

// nets are the networks of one namespace.
type nets = bart.Table[*entry]

// view is one immutable state of the index.
type view struct {
	shards [shards]*shard
	nets   map[enforcement.Namespace]*nets
}

// index holds every block in process: a check looks at one immutable view, whatever is written meanwhile.
type index struct {
	seed maphash.Seed
	now  atomic.Pointer[view]
	// What follows is for the one writer at a time, under the guard's lock.
	words map[words]*words
}

func newIndex() *index {
	x := &index{seed: maphash.MakeSeed(), words: map[words]*words{}}
	x.now.Store(&view{nets: map[enforcement.Namespace]*nets{}})
	return x
}

// mix scatters a number over all bits (the finaliser of MurmurHash3).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func (x *index) hash(k *key) uint64 {
	h := mix(k.id ^ uint64(k.scope)<<56 ^ uint64(k.ns)*0x9e3779b97f4a7c15 ^ k.guild*0xd6e8feb86659fd93)
	if k.text != "" {
		h ^= maphash.String(x.seed, k.text)
	}
	if h == 0 {
		return 1
	}
	return h
}

func (s *shard) find(h uint64, k *key) *entry {
	if s == nil {
		return nil
	}
	mask := uint64(len(s.tags) - 1)
	for i := h >> 10 & mask; s.tags[i] != 0; i = (i + 1) & mask {
		if s.tags[i] == h && s.refs[i].key == *k {
			return s.refs[i]
		}
	}
	return nil
}

func (s *shard) put(h uint64, e *entry) {
	mask := uint64(len(s.tags) - 1)
	for i := h >> 10 & mask; ; i = (i + 1) & mask {
		if s.tags[i] == 0 {
			s.tags[i], s.refs[i] = h, e
			s.used++
			return
		}
		if s.tags[i] == h && s.refs[i].key == e.key {
			s.refs[i] = e
			return
		}
	}
}

// with is a copy of the shard that has the entry. When it is full it gets room for twice what is still wanted; the rest is dropped.
func (s *shard) with(h uint64, e *entry, keep func(*entry) bool) *shard {
	if s != nil && (s.used+1)*3 <= len(s.tags)*2 {
		c := &shard{tags: slices.Clone(s.tags), refs: slices.Clone(s.refs), used: s.used}
		c.put(h, e)
		return c
	}
	wanted := 1
	if s != nil {
		for _, old := range s.refs {
			if old != nil && keep(old) {
				wanted++
			}
		}
	}
	size := 8
	for size < wanted*2 {
		size *= 2
	}
	c := &shard{tags: make([]uint64, size), refs: make([]*entry, size)}
	if s != nil {
		for i, old := range s.refs {
			if old != nil && keep(old) {
				c.put(s.tags[i], old)
			}
		}
	}
	c.put(h, e)
	return c
}

// find gives the entry of exactly this subject, whatever its state; nil if there is none.
func (x *index) find(ns enforcement.Namespace, s *enforcement.Subject) *entry {
	v := x.now.Load()
	if s.Scope == enforcement.IP {
		if t := v.nets[ns]; t != nil {
			if e, ok := t.Get(s.Net); ok {
				return e
			}
		}
		return nil
	}
	k := keyOf(ns, s)
	h := x.hash(&k)
	return v.shards[h%shards].find(h, &k)
}

// covers gives the block that keeps out an address or a network: the narrowest one in force.
func covers(t *nets, p netip.Prefix, at int64) *entry {
	if e, ok := t.LookupPrefix(p); !ok || e.active(at) {
		return e
	}
	for _, e := range t.Supernets(p) { // narrowest first; the one found above is over
		if e.active(at) {
			return e
		}
	}
	return nil
}

// put makes a new view that has the entry. It costs one shard, whatever the number of blocks.
func (x *index) put(e *entry, keep func(*entry) bool) {
	old := x.now.Load()
	v := *old
	if e.key.scope == enforcement.IP {
		v.nets = maps.Clone(old.nets)
		t := v.nets[e.key.ns]
		if t == nil {
			t = &nets{}
		}
		v.nets[e.key.ns] = t.InsertPersist(e.net, e)
	} else {
		h := x.hash(&e.key)
		v.shards[h%shards] = old.shards[h%shards].with(h, e, keep)
	}
	x.now.Store(&v)
}

// fill replaces everything: for the start, when nobody looks at half of it.
func (x *index) fill(all []*entry) {
	v := &view{nets: map[enforcement.Namespace]*nets{}}
	parts := make([][]*entry, shards)
	for _, e := range all {
		if e.key.scope == enforcement.IP {
			t := v.nets[e.key.ns]
			if t == nil {
				t = &nets{}
				v.nets[e.key.ns] = t
			}
			t.Insert(e.net, e)
			continue
		}
		h := x.hash(&e.key) % shards
		parts[h] = append(parts[h], e)
	}
	for i, part := range parts {
		if len(part) == 0 {
			continue
		}
		size := 8
		for size*2 < (len(part)+1)*3 {
			size *= 2
		}
		s := &shard{tags: make([]uint64, size), refs: make([]*entry, size)}
		for _, e := range part {
			s.put(x.hash(&e.key), e)
		}
		v.shards[i] = s
	}
	x.now.Store(v)
}

// entryOf is a block as an entry, its words kept once.
func (x *index) entryOf(b *enforcement.Block) *entry {
	w := words{reason: b.Reason, message: b.Message, rule: b.Rule, owner: b.Owner, status: b.Status, also: b.Also}
	kept, known := x.words[w]
	if !known {
		if len(x.words) > mostWords {
			clear(x.words) // only saves memory: entries keep what they point to
		}
		kept = &w
		x.words[w] = kept
	}
	e := &entry{key: keyOf(b.Namespace, &b.Subject), net: b.Subject.Net, revision: b.Revision, id: b.ID, words: kept, gone: !b.Revoked.IsZero()}
	if !b.End.IsZero() {
		e.end = b.End.UnixMicro()
	}
	return e
}

const mostWords = 10_000
