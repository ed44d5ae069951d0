package snapshot

import "gatecamp/audit"

// revision is a digest of an account: a changed row changes it.
func revision(d *audit.Directory, c *audit.Account) uint64 {
	h := digest(14695981039346656037)
	h.number(uint64(c.User))
	h.number(uint64(c.Discord))
	for i, flag := range [...]bool{c.Active, c.Superuser, c.Access} {
		if flag {
			h.number(uint64(i))
		}
	}
	h.text(c.Username)
	h.text(c.Main.Name)
	h.text(d.StateName(c))
	for _, g := range c.Groups {
		h.text(d.Groups[g])
	}
	for i, p := range d.Permissions {
		if c.Grants.Has(i) {
			h.text(p)
		}
	}
	return uint64(h)
}

// digest is FNV-1a over values that say how long they are.
type digest uint64

func (h *digest) number(n uint64) {
	for range 8 {
		*h = (*h ^ digest(n&0xff)) * 1099511628211
		n >>= 8
	}
}

func (h *digest) text(s string) {
	h.number(uint64(len(s)))
	for i := range len(s) {
		*h = (*h ^ digest(s[i])) * 1099511628211
	}
}
