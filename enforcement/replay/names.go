package replay

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"gatecamp/enforcement"
)

// names lets scenarios write a name where the guard takes only ids: each stands for an id of its own, and answers have the name.
type names struct {
	mu  sync.Mutex
	ids map[string]string
	was map[string]string
}

// firstID is where the ids of names begin: beyond any that Discord has given.
const firstID = 9_000_000_000_000_000_001

var isName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.@-]*$`)

func newNames() *names { return &names{ids: map[string]string{}, was: map[string]string{}} }

func (n *names) id(value string) string {
	if !isName.MatchString(value) {
		return value
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	id, known := n.ids[value]
	if !known {
		id = strconv.FormatUint(firstID+uint64(len(n.ids)), 10)
		n.ids[value], n.was[id] = id, value
	}
	return id
}

// of is the value that is meant.
func (n *names) of(scope enforcement.Scope, value string) string {
	switch scope {
	case enforcement.Session, enforcement.IP, enforcement.Route:
		return value
	case enforcement.Member:
		guild, user, both := strings.Cut(value, ":")
		if both {
			return n.id(guild) + ":" + n.id(user)
		}
	case enforcement.User, enforcement.Account, enforcement.Webhook, enforcement.Channel, enforcement.Guild, enforcement.Role:
	}
	return n.id(value)
}

// back is a subject as the scenario wrote it.
func (n *names) back(s enforcement.Subject) string {
	value := s.Value()
	n.mu.Lock()
	defer n.mu.Unlock()
	parts := strings.Split(value, ":")
	if s.Scope == enforcement.IP || s.Scope == enforcement.Session || s.Scope == enforcement.Route {
		parts = []string{value}
	}
	for i, p := range parts {
		if was, known := n.was[p]; known {
			parts[i] = was
		}
	}
	return s.Scope.String() + ":" + strings.Join(parts, ":")
}

// number is an id, or 0 for what is none.
func (n *names) number(value text) uint64 {
	id, err := strconv.ParseUint(n.id(strings.TrimSpace(string(value))), 10, 63)
	if err != nil {
		return 0
	}
	return id
}
