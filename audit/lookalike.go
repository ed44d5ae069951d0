package audit

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/disgoorg/snowflake/v2"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

//go:generate go run ./internal/gen/confusables.go "${CONFUSABLES}" confusables.go

// confusable says which characters a rune can be taken for.
type confusable struct {
	from rune
	at   uint16
	n    uint8
}

// Skeleton reduces a name to what an eye sees that does not mind case (after Unicode Technical Standard 39, section 4, with its table
// of confusable characters): compatibility forms and accents decomposed, case folded, letters that look alike made one; blanks and
// invisible characters dropped. It is for comparing only, not for reading.
func Skeleton(name string) string { return fold(prototype(fold(visible(name)))) }

// skeletons are the two keys of a name. Capitals look like other letters than small ones do, I like l for one: so the second key is
// of the name as it is written. Two names that share either key can be taken for each other.
func skeletons(name string) [2]string {
	return [2]string{Skeleton(name), Skeleton(prototype(visible(name)))}
}

// visible decomposes compatibility forms and drops what nobody sees; marks that it stood between take their order anew.
func visible(name string) string {
	return norm.NFKD.String(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) || r == braille {
			return -1
		}
		return r
	}, norm.NFKD.String(name)))
}

const braille = '\u2800' // a blank that Unicode counts as a symbol

// fold makes case irrelevant. Lower-casing what is folded settles Cherokee, whose letters the library folds the one into the other.
func fold(s string) string {
	return norm.NFKD.String(strings.ToLower(cases.Fold().String(norm.NFC.String(s))))
}

// prototype replaces each character by what Unicode's table says it can be taken for.
func prototype(s string) string {
	var b strings.Builder
	for _, r := range s {
		i, ok := slices.BinarySearchFunc(confusables[:], r, func(c confusable, r rune) int { return cmp.Compare(c.from, r) })
		if !ok {
			b.WriteRune(r)
			continue
		}
		c := confusables[i]
		b.WriteString(confusablePrototypes[c.at : int(c.at)+int(c.n)])
	}
	return visible(b.String())
}

// resemblances finds the name that another one could be taken for.
type resemblances [2]map[string]string

// learn adds a name; of several with one skeleton the first by byte counts.
func (r *resemblances) learn(name string, keys [2]string) {
	for i, key := range keys {
		if r[i] == nil {
			r[i] = map[string]string{}
		}
		if old, ok := r[i][key]; key != "" && (!ok || name < old) {
			r[i][key] = name
		}
	}
}

func (r *resemblances) of(keys [2]string) (like string, ok bool) {
	for i, key := range keys {
		if like, ok = r[i][key]; ok {
			return like, true
		}
	}
	return "", false
}

// keys are the skeletons of a name; those of an earlier scene are as good, and most of the work of making a scene.
func (s *Scene) keys(name string) [2]string {
	keys, known := s.looks[name]
	if !known && s.Before != nil {
		keys, known = s.Before.looks[name]
	}
	if !known {
		keys = skeletons(name)
	}
	s.looks[name] = keys
	return keys
}

// findLookalikes marks the roles that are not managed but could be taken for a role that is.
func (s *Scene) findLookalikes(names roleNames) {
	var known resemblances
	exact := make(map[string]struct{}, len(s.Auth.Groups)+len(s.Auth.States))
	for _, name := range slices.Concat(s.Auth.Groups, s.Auth.States) {
		name = RoleName(name)
		if _, again := exact[name]; !again {
			exact[name] = struct{}{}
			known.learn(name, s.keys(name))
		}
	}
	for i := range s.bound.All() {
		if name := s.Guild.Roles[i].Name; !has(exact, name) {
			known.learn(name, s.keys(name))
		}
	}
	for i, r := range s.Guild.Roles {
		if has(exact, r.Name) || s.managed.Has(i) || r.Managed || names.kept.Has(i) {
			continue
		}
		if like, ok := known.of(s.keys(r.Name)); ok {
			s.lookalikes = s.lookalikes.With(i)
			s.like[i] = like
		}
	}
}

// Lookalike is a role that is not managed, and the managed name that it resembles.
type Lookalike struct {
	Role snowflake.ID
	Like string
}

// Lookalikes are those among the roles of a set, by id; never nil.
func (s *Scene) Lookalikes(held RoleSet) []Lookalike {
	found := []Lookalike{}
	for i := range held.And(s.lookalikes).All() {
		found = append(found, Lookalike{Role: s.Guild.Roles[i].ID, Like: s.like[i]})
	}
	slices.SortFunc(found, func(a, b Lookalike) int { return compareIDs(a.Role, b.Role) })
	return found
}
