package audit

import (
	"slices"
	"testing"

	"github.com/disgoorg/snowflake/v2"
	"pgregory.net/rapid"
)

func alike(a, b string) bool {
	var r resemblances
	r.learn(a, skeletons(a))
	_, ok := r.of(skeletons(b))
	return ok
}

func TestNamesThatAnEyeTakesForEachOther(t *testing.T) {
	for _, c := range []struct{ name, other, why string }{
		{"Directors", "directors", "case"},
		{"Directors", "DIRECTORS", "case, though I looks like l"},
		{"Fleet Commanders", "FLEET COMMANDERS", "case, though m looks like rn"},
		{"Straße", "STRASSE", "case folding of more than one letter"},
		{"Directors", "Directors ", "a blank at the end"},
		{"Fleet Commanders", "FleetCommanders", "no blank"},
		{"Fleet Commanders", "Fleet\u00a0Commanders", "a no-break space"},
		{"Fleet Commanders", "Fleet\u2003Commanders", "an em space"},
		{"Directors", "Dir\u200bectors", "a zero width space"},
		{"Directors", "Dir\u2060ectors", "a word joiner"},
		{"Directors", "\u202eDirectors", "a change of direction"},
		{"Directors", "Directors\ufe0f", "a variation selector"},
		{"Directors", "Directors\u3164", "a Hangul filler"},
		{"Directors", "Directors\u2800", "a Braille blank"},
		{"Directors", "Dir\u00adectors", "a soft hyphen"},
		{"Bücherei", "Bu\u0308cherei", "Unicode form"},
		{"Member", "Ｍｅｍｂｅｒ", "fullwidth"},
		{"Member", "𝐌𝐞𝐦𝐛𝐞𝐫", "mathematical letters"},
		{"Member", "Ⓜember", "a letter in a circle"},
		{"Member", "Mеmbеr", "Cyrillic"},
		{"Scope", "Ѕсоре", "nothing but Cyrillic"},
		{"HOME", "НОМЕ", "Cyrillic capitals"},
		{"Alpha", "Αlpha", "a Greek capital"},
		{"Moron", "Mοrοn", "Greek"},
		{"Alpha", "A1pha", "1 for l"},
		{"Alpha", "AIpha", "I for l"},
		{"Alpha", "A|pha", "| for l"},
		{"ICE", "1CE", "1 for I"},
		{"ICE", "lCE", "l for I"},
		{"Officer", "0fficer", "0 for O"},
		{"Commander", "Cornmander", "rn for m"},
		{"Corner", "Comer", "m for rn"},
		{"Fleet-Boss", "Fleet‐Boss", "another hyphen"},
		{"Don't", "Don’t", "another apostrophe"},
	} {
		if !alike(c.name, c.other) || !alike(c.other, c.name) {
			t.Errorf("%s: %+q and %+q are not alike: %+q, %+q", c.why, c.name, c.other, skeletons(c.name), skeletons(c.other))
		}
	}
}

func TestNamesThatNobodyMixesUp(t *testing.T) {
	for _, c := range [][2]string{
		{"Directors", "Director"},
		{"Alpha", "Alpine"},
		{"Mail", "Mall"},
		{"Team 1", "Team 2"},
		{"Bücherei", "Bucherei"},
		{"Группа", "Группы"},
		{"会员", "会长"},
		{"🔥", "❄"},
		{"", " "},
		{" ", "\u200b"},
	} {
		if alike(c[0], c[1]) {
			t.Errorf("%q and %q are alike: %+q", c[0], c[1], skeletons(c[0]))
		}
	}
}

func TestConfusablesAreSortedAndWithinTheirText(t *testing.T) {
	if !slices.IsSortedFunc(confusables[:], func(a, b confusable) int { return int(a.from - b.from) }) {
		t.Error("not sorted")
	}
	for _, c := range confusables {
		if c.n == 0 || int(c.at)+int(c.n) > len(confusablePrototypes) {
			t.Errorf("%U has no prototype", c.from)
		}
	}
	if confusablesVersion == "" || len(confusables) < 2_000 {
		t.Errorf("version %q with %d characters is not Unicode's table", confusablesVersion, len(confusables))
	}
}

func TestEveryNameIsLikeItselfInAnyCase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := visible(rapid.String().Draw(t, "name"))
		if Skeleton(name) != "" && (!alike(name, name) || !alike(name, fold(name))) {
			t.Fatalf("%+q: %+q, %+q", name, skeletons(name), skeletons(fold(name)))
		}
	})
}

// The expected values are what Python 3.11's str.lower says.
func TestLowerCaseAsAuthHasIt(t *testing.T) {
	for name, want := range map[string]string{
		"":                   "",
		"Directors":          "directors",
		"ÄÖÜ ẞ":              "äöü ß",
		"İstanbul":           "i\u0307stanbul",
		"IĞDIR":              "iğdir",
		"Σ":                  "σ",
		"ΑΣ":                 "ας",
		"ΑΣΑ":                "ασα",
		"ΣΑΣ ΣΣ":             "σας σς",
		"ΑΣ.":                "ας.",
		"ΑΣ.Α":               "ασ.α",
		"ΑΣ'Α":               "ασ'α",
		"Α\u0301Σ":           "α\u0301ς",
		"ΑΣ\u0301Α":          "ασ\u0301α",
		"Α.Σ":                "α.ς",
		"1Σ":                 "1σ",
		"\u02b0Σ":            "\u02b0σ", // a modifier letter is cased, and case ignores it
		"\u2097'Σ":           "\u2097'σ",
		"ǅ":                  "ǆ",
		"ДИРЕКТОР":           "директор",
		"Ⓐ":                  "ⓐ",
		"𐐀":                  "𐐨",
		"K (Kelvin) Å":       "k (kelvin) å",
		"ΌΣΟΣ ΠΑΊΚΤΕΣ-ΜΈΛΟΣ": "όσος παίκτες-μέλος",
	} {
		if got := lower(name); got != want {
			t.Errorf("%+q: %+q, want %+q", name, got, want)
		}
	}
}

func TestASceneMadeAfterAnotherIsTheSceneMadeAlone(t *testing.T) {
	names := func(roles ...string) Subjects {
		s := Subjects{Guild: Guild{ID: 1}, Auth: &Directory{Groups: []string{"Fleet", "Pilot"}}}
		for i, name := range roles {
			s.Guild.Roles = append(s.Guild.Roles, Role{ID: snowflake.ID(10 + i), Name: name})
		}
		return s
	}
	before := NewScene(names("fleet", "FIeet", "Other"))
	s := names("Fleet", "PiIot", "Other", "F1eet")
	alone := NewScene(s)
	s.Before = before
	after := NewScene(s)
	if after.lookalikes != alone.lookalikes || after.like != alone.like || alone.lookalikes.Empty() {
		t.Errorf("lookalikes %v %v, made alone %v %v", after.lookalikes, after.like[:4], alone.lookalikes, alone.like[:4])
	}
	if after.Before != nil {
		t.Error("a scene keeps the one before, and so all of them")
	}
}
