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
const shards = 2048

// key is a subject within a namespace.
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

// rest is of a subject what most subjects do not have.
type rest struct {
	guild uint64
	text  string
	net   netip.Prefix
}

// entry is a block as the index keeps it: small, since there may be a million.
type entry struct {
	ns       enforcement.Namespace
	id       uint64 // of the subject
	end      int64  // microseconds; 0: permanent
	revision int64
	block    int64 // its id; 0: held, not stored yet
	words    *words
	rest     *rest // nil: the subject is its id
	scope    enforcement.Scope
	gone     bool // taken back: kept until no older news of it can come
}

func (e *entry) active(at int64) bool { return !e.gone && (e.end == 0 || at < e.end) }

func (e *entry) is(k *key) bool {
	if e.id != k.id || e.ns != k.ns || e.scope != k.scope {
		return false
	}
	if e.rest == nil {
		return k.guild == 0 && k.text == ""
	}
	return e.rest.guild == k.guild && e.rest.text == k.text
}

func (e *entry) key() key {
	k := key{ns: e.ns, id: e.id, scope: e.scope}
	if e.rest != nil {
		k.guild, k.text = e.rest.guild, e.rest.text
	}
	return k
}

func (e *entry) subject() enforcement.Subject {
	s := enforcement.Subject{Scope: e.scope, ID: e.id}
	if e.rest != nil {
		s.Guild, s.Text, s.Net = e.rest.guild, e.rest.text, e.rest.net
	}
	return s
}

func (e *entry) asBlock() enforcement.Block {
	b := enforcement.Block{
		ID: e.block, Revision: e.revision, Namespace: e.ns, Subject: e.subject(),
		Also: e.words.also, Reason: e.words.reason, Message: e.words.message, Status: e.words.status, Rule: e.words.rule, Owner: e.words.owner,
	}
	if e.end != 0 {
		b.End = time.UnixMicro(e.end).UTC()
	}
	return b
}

// shard is an immutable table with open addressing over entries that stand close together. A place is 0 if it is free, else the upper
// half of the hash's tag and the number of the entry, from 1.
type shard struct {
	places  []uint32
	entries []entry
}

// nets are the networks of one namespace.
type nets = bart.Table[*entry]

// view is one immutable state of the index.
type view struct {
	shards [shards]*shard
	nets   map[enforcement.Namespace]*nets
}

// dictionary keeps equal texts once.
type dictionary map[words]*words

// index holds every block in process: a check looks at one immutable view, whatever is written meanwhile.
type index struct {
	seed maphash.Seed
	now  atomic.Pointer[view]
	dict dictionary // for the one writer at a time, under the guard's lock
}

func newIndex() *index {
	x := &index{seed: maphash.MakeSeed(), dict: dictionary{}}
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
	return h
}

// mostInShard is what fits into the lower half of a place.
const mostInShard = 1<<16 - 1

func tag(h uint64) uint32 { return uint32(h>>48) << 16 }

func (s *shard) find(h uint64, k *key) *entry {
	if s == nil {
		return nil
	}
	mask, want := uint64(len(s.places)-1), tag(h)
	for i := h >> 11 & mask; s.places[i] != 0; i = (i + 1) & mask {
		if p := s.places[i]; p&^mostInShard == want {
			if e := &s.entries[p&mostInShard-1]; e.is(k) {
				return e
			}
		}
	}
	return nil
}

// put adds an entry or takes the place of the one of the same subject.
func (s *shard) put(h uint64, e *entry) {
	mask, want, k := uint64(len(s.places)-1), tag(h), e.key()
	i := h >> 11 & mask
	for ; s.places[i] != 0; i = (i + 1) & mask {
		if p := s.places[i]; p&^mostInShard == want && s.entries[p&mostInShard-1].is(&k) {
			s.entries[p&mostInShard-1] = *e
			return
		}
	}
	s.entries = append(s.entries, *e)
	s.places[i] = want | uint32(len(s.entries))
}

// roomFor is a table for n entries.
func roomFor(n int) *shard {
	size := 8
	for size*2 < n*3 {
		size *= 2
	}
	return &shard{places: make([]uint32, size)}
}

// with is a copy of the shard that has the entry. When it is full, what can matter no more is dropped, and it gets room for twice the rest.
func (x *index) with(s *shard, h uint64, e *entry, keep func(*entry) bool) *shard {
	if s != nil && (len(s.entries)+1)*3 <= len(s.places)*2 && len(s.entries) < mostInShard {
		c := &shard{places: slices.Clone(s.places), entries: make([]entry, len(s.entries), len(s.entries)+1)}
		copy(c.entries, s.entries)
		c.put(h, e)
		return c
	}
	var kept []*entry
	if s != nil {
		for i := range s.entries {
			if keep(&s.entries[i]) {
				kept = append(kept, &s.entries[i])
			}
		}
	}
	c := roomFor((len(kept) + 1) * 4 / 3)
	for _, old := range kept {
		k := old.key()
		c.put(x.hash(&k), old)
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
	if e.scope == enforcement.IP {
		v.nets = maps.Clone(old.nets)
		t := v.nets[e.ns]
		if t == nil {
			t = &nets{}
		}
		v.nets[e.ns] = t.InsertPersist(e.rest.net, e)
	} else {
		k := e.key()
		h := x.hash(&k)
		v.shards[h%shards] = x.with(old.shards[h%shards], h, e, keep)
	}
	x.now.Store(&v)
}

// filling is a view in the making, for the start: nobody looks at half of it.
type filling struct {
	x     *index
	nets  map[enforcement.Namespace]*nets
	parts [shards][]entry
	dict  dictionary
}

func (x *index) filling() *filling {
	return &filling{x: x, nets: map[enforcement.Namespace]*nets{}, dict: dictionary{}}
}

func (f *filling) add(b *enforcement.Block) {
	e := f.dict.entryOf(b)
	if e.scope == enforcement.IP {
		t := f.nets[e.ns]
		if t == nil {
			t = &nets{}
			f.nets[e.ns] = t
		}
		t.Insert(e.rest.net, e)
		return
	}
	k := e.key()
	part := &f.parts[f.x.hash(&k)%shards]
	*part = append(*part, *e)
}

// done replaces everything.
func (f *filling) done() {
	v := &view{nets: f.nets}
	for i, part := range f.parts {
		if len(part) == 0 {
			continue
		}
		s := roomFor(len(part) + 1)
		s.entries = part[:0] // where they are already: a million is not copied
		for j := range part {
			k := part[j].key()
			s.put(f.x.hash(&k), &part[j])
		}
		v.shards[i], f.parts[i] = s, nil
	}
	f.x.dict = f.dict
	f.x.now.Store(v)
}

// entryOf is a block as an entry, its words kept once.
func (d dictionary) entryOf(b *enforcement.Block) *entry {
	w := words{reason: b.Reason, message: b.Message, rule: b.Rule, owner: b.Owner, status: b.Status, also: b.Also}
	kept, known := d[w]
	if !known {
		if len(d) > mostWords {
			clear(d) // only saves memory: entries keep what they point to
		}
		kept = &w
		d[w] = kept
	}
	s := &b.Subject
	e := &entry{ns: b.Namespace, id: s.ID, scope: s.Scope, revision: b.Revision, block: b.ID, words: kept, gone: !b.Revoked.IsZero()}
	if s.Guild != 0 || s.Text != "" || s.Net.IsValid() {
		e.rest = &rest{s.Guild, s.Text, s.Net}
	}
	if !b.End.IsZero() {
		e.end = b.End.UnixMicro()
	}
	return e
}

const mostWords = 10_000
