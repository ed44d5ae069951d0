package auth

import (
	"math/bits"

	"gatecamp/audit"
)

// digests are the parts that accounts share, digested once. Names count and not row ids: a group that is deleted and made again under
// the same name changes nobody.
type digests struct {
	permissions, groups, states []uint64
}

func newDigests(d *audit.Directory) digests {
	each := func(names []string) []uint64 {
		sums := make([]uint64, len(names))
		for i, name := range names {
			sums[i] = spread(fnv(offset, name))
		}
		return sums
	}
	return digests{permissions: each(d.Permissions), groups: each(d.Groups), states: each(d.States)}
}

// revision is the same in every process and on every machine, as storage keeps it. Sets enter as sums, which need no order.
func (s digests) revision(a *audit.Account) uint64 {
	sum := fnv(offset, a.Username)
	sum = fnv(sum, a.Main.Name)
	sum = fnv(sum, a.Main.CorporationTicker())
	sum = fnv(sum, a.Main.AllianceTicker())
	sum = mix(sum, uint64(a.User))
	sum = mix(sum, uint64(a.Discord))
	var flags uint64
	for i, flag := range []bool{a.Active, a.Superuser, a.Access, a.State >= 0} {
		if flag {
			flags |= 1 << i
		}
	}
	sum = mix(sum, flags)
	if a.State >= 0 {
		sum = mix(sum, s.states[a.State])
	}
	var groups, permissions uint64
	for _, g := range a.Groups {
		groups += s.groups[g]
	}
	if a.Grants != nil {
		for w, word := range *a.Grants {
			for ; word != 0; word &= word - 1 {
				permissions += s.permissions[w*64+bits.TrailingZeros64(word)]
			}
		}
	}
	return mix(mix(sum, groups), permissions)
}

// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/).
const (
	offset = 14695981039346656037
	prime  = 1099511628211
)

// fnv goes on with the text and its end, so that neighbours cannot swap letters.
func fnv(sum uint64, text string) uint64 {
	for i := range len(text) {
		sum = (sum ^ uint64(text[i])) * prime
	}
	return (sum ^ 0xff) * prime
}

func mix(sum, word uint64) uint64 { return spread((sum ^ word) * prime) }

// spread is the finisher of SplitMix64: sums of plain FNV values would hide differences.
func spread(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
