package discordtest

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/disgoorg/snowflake/v2"
)

// memberTable holds the members of a guild, found by id and walked in ascending order of it, as Discord's lists are.
type memberTable struct {
	by    map[snowflake.ID]*member
	order []*member
	sets  map[string][]snowflake.ID // role sets, each kept once
}

func newMemberTable(size int) memberTable {
	return memberTable{
		by:    make(map[snowflake.ID]*member, size),
		order: make([]*member, 0, size),
		sets:  map[string][]snowflake.ID{},
	}
}

// find is the place of the id in the order, or where it would stand.
func (t *memberTable) find(id snowflake.ID) (int, bool) {
	if n := len(t.order); n > 0 && t.order[n-1].id < id {
		return n, false
	}
	return slices.BinarySearchFunc(t.order, id, func(m *member, id snowflake.ID) int { return cmp.Compare(m.id, id) })
}

// add takes in a member who is not there yet.
func (t *memberTable) add(m *member) {
	at, there := t.find(m.id)
	if there {
		t.order[at] = m
	} else {
		t.order = slices.Insert(t.order, at, m)
	}
	t.by[m.id] = m
}

// remove forgets a member.
func (t *memberTable) remove(m *member) {
	if at, ok := t.find(m.id); ok {
		t.order = slices.Delete(t.order, at, at+1)
	}
	delete(t.by, m.id)
	m.gone = true
}

// after is up to limit members with a higher id.
func (t *memberTable) after(id snowflake.ID, limit int) []*member {
	at, ok := t.find(id)
	if ok {
		at++
	}
	return t.order[at:min(at+limit, len(t.order))]
}

// set is the one shared copy of a set of roles, ascending, without doubles.
func (t *memberTable) set(roles []snowflake.ID) []snowflake.ID {
	if len(roles) == 0 {
		return nil
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(roles)))
	key := make([]byte, 0, 8*len(sorted))
	for _, id := range sorted {
		key = binary.BigEndian.AppendUint64(key, uint64(id))
	}
	if known, ok := t.sets[string(key)]; ok {
		return known
	}
	t.sets[string(key)] = slices.Clip(sorted)
	return t.sets[string(key)]
}

// with is the shared set of roles and one more.
func (t *memberTable) with(roles []snowflake.ID, role snowflake.ID) []snowflake.ID {
	return t.set(append(slices.Clone(roles), role))
}

// without is the shared set of roles and one less.
func (t *memberTable) without(roles []snowflake.ID, role snowflake.ID) []snowflake.ID {
	return t.set(slices.DeleteFunc(slices.Clone(roles), func(id snowflake.ID) bool { return id == role }))
}

// minus is what is in a and not in b; both ascending.
func minus(a, b []snowflake.ID) []snowflake.ID {
	var out []snowflake.ID
	for _, id := range a {
		if _, ok := slices.BinarySearch(b, id); !ok {
			out = append(out, id)
		}
	}
	return out
}
