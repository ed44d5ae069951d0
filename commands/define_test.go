package commands

import (
	"encoding/json"
	"testing"

	"gatecamp/i18n"
)

// definition is what Discord is sent.
type definition struct {
	Name        string
	Type        int
	Description string
	Names       map[string]string `json:"name_localizations"`
	Texts       map[string]string `json:"description_localizations"`
	Options     []definition
	Choices     []struct {
		Name  string
		Names map[string]string `json:"name_localizations"`
	}
	Contexts     []int
	Integration  []int   `json:"integration_types"`
	Permissions  *string `json:"default_member_permissions"`
	Autocomplete bool
}

func definitions(t *testing.T) []definition {
	t.Helper()
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(New(Config{Texts: texts}).definitions())
	if err != nil {
		t.Fatal(err)
	}
	var all []definition
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryCommandOptionAndChoiceIsNamedInEveryLanguage(t *testing.T) {
	var look func(path string, d definition, isMenu bool)
	look = func(path string, d definition, isMenu bool) {
		path += " " + d.Name
		if d.Names["ru"] == "" {
			t.Errorf("%s has no Russian name", path)
		}
		if !isMenu && (d.Description == "" || d.Description[0] == 'c' && d.Description == "command."+d.Name || d.Texts["ru"] == "") {
			t.Errorf("%s has no description: %q, in Russian %q", path, d.Description, d.Texts["ru"])
		}
		for _, c := range d.Choices {
			if c.Names["ru"] == "" {
				t.Errorf("%s: the choice %s has no Russian name", path, c.Name)
			}
		}
		taken := map[string]string{}
		for _, o := range d.Options {
			if other := taken[o.Names["ru"]]; other != "" {
				t.Errorf("%s: %s and %s have one Russian name", path, o.Name, other)
			}
			taken[o.Names["ru"]] = o.Name
			look(path, o, false)
		}
	}
	for _, d := range definitions(t) {
		look("", d, d.Type == 2)
	}
}

func TestCommandsAreForGuildsAloneAndTheOnesWhoseRefusalsAreToBeSeenAreShownToModerators(t *testing.T) {
	const manageRoles, manageServer = "268435456", "32"
	shown := map[string]string{"audit": manageRoles, "acknowledge": manageRoles, "explain": manageRoles, "why": ""}
	for _, d := range definitions(t) {
		if len(d.Contexts) != 1 || d.Contexts[0] != 0 || len(d.Integration) != 1 || d.Integration[0] != 0 {
			t.Errorf("%s: contexts %v, integration types %v, want 0 alone", d.Name, d.Contexts, d.Integration)
		}
		if d.Type == 2 { // an entry of the context menu
			continue
		}
		want, listed := shown[d.Name]
		if !listed {
			want = manageServer
		}
		got := ""
		if d.Permissions != nil {
			got = *d.Permissions
		}
		if got != want {
			t.Errorf("/%s begins with permissions %q, want %q", d.Name, got, want)
		}
	}
}
