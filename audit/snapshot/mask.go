package snapshot

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"slices"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
)

// Mask is a copy of the snapshot without names of people: user names, global names, nicks, mains, and the free text and owners of
// protections. One person has one pseudonym throughout the file, on Discord and in Auth. The key is random and forgotten, so that
// nobody can find a name by trying, and two files tell nothing about each other. Ids stay, and so do names of roles, groups and
// states.
func Mask(f *File) *File {
	var key [32]byte
	rand.Read(key[:])
	return mask(f, key[:])
}

func mask(f *File, key []byte) *File {
	masked := *f
	persons := personsOf(f.Auth)
	name := func(p person) string { return pseudonym(key, p) }
	masked.People = People{}
	for i, m := range f.Members {
		who := f.People.At(i)
		p := name(persons.ofMember(m.ID))
		masked.People.Add(Person{Username: p, GlobalName: ifAny(who.GlobalName, p), Nick: ifAny(who.Nick, p)})
	}
	masked.Protected = slices.Clone(f.Protected)
	for i := range masked.Protected {
		masked.Protected[i].Reason, masked.Protected[i].Owner = "", ""
	}
	if f.Auth != nil {
		d := *f.Auth
		d.Accounts = slices.Clone(f.Auth.Accounts)
		for i := range d.Accounts {
			a := &d.Accounts[i]
			p := name(person{user: a.User})
			a.Username = p
			a.Main = audit.Main{Name: ifAny(a.Main.Name, p)}
			a.Revision = revision(&d, a)
		}
		d.Index()
		masked.Auth = &d
	}
	return &masked
}

func ifAny(name, instead string) string {
	if name == "" {
		return ""
	}
	return instead
}

// person is an Auth user, or a Discord account that Auth does not know.
type person struct {
	user    int64
	discord snowflake.ID
}

// persons finds who a Discord account belongs to.
type persons struct {
	auth  *audit.Directory
	known map[snowflake.ID]int64 // earlier accounts
}

func personsOf(d *audit.Directory) persons {
	p := persons{auth: d, known: map[snowflake.ID]int64{}}
	if d == nil {
		p.auth = &audit.Directory{}
		return p
	}
	for _, id := range d.Identities {
		if _, listed := d.Account(id.User); listed {
			p.known[id.Discord] = id.User
		}
	}
	return p
}

func (p persons) ofMember(id snowflake.ID) person {
	if linked := p.auth.Linked(id); len(linked) > 0 {
		return person{user: p.auth.Accounts[linked[0]].User}
	}
	if user, ok := p.known[id]; ok {
		return person{user: user}
	}
	return person{discord: id}
}

func pseudonym(key []byte, p person) string {
	var record [16]byte
	binary.BigEndian.PutUint64(record[:8], uint64(p.user))
	binary.BigEndian.PutUint64(record[8:], uint64(p.discord))
	h := hmac.New(sha256.New, key)
	h.Write(record[:])
	return "Pilot-" + base32.StdEncoding.EncodeToString(h.Sum(nil))[:10]
}
