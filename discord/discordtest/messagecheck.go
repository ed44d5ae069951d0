package discordtest

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// Component types (components/reference).
const (
	componentRow         = 1
	componentButton      = 2
	componentSelect      = 3
	componentText        = 4
	componentUsers       = 5
	componentRoles       = 6
	componentMentionable = 7
	componentChannels    = 8
	componentDisplay     = 10
	componentLabel       = 18
	componentUpload      = 19
	componentRadio       = 21
	componentChecks      = 22
	componentCheck       = 23
	styleLink            = 5
	stylePremium         = 6
)

// The limits of messages and modals (reference/discord.md 2.3).
const (
	maxContent      = 2000
	maxEmbeds       = 10
	maxEmbedText    = 6000
	maxComponents   = 40
	maxRows         = 5
	maxButtons      = 5
	maxOptions      = 25
	maxCustomID     = 100
	maxModalTitle   = 45
	maxModalParts   = 5
	maxButtonLabel  = 80
	maxAutocomplete = 25
)

// component is any component, as far as rules look at it.
type component struct {
	Type        int             `json:"type"`
	ID          int             `json:"id"`
	CustomID    string          `json:"custom_id"`
	Label       string          `json:"label"`
	Style       int             `json:"style"`
	Disabled    bool            `json:"disabled"`
	Required    *bool           `json:"required"`
	MinLength   int             `json:"min_length"`
	MaxLength   int             `json:"max_length"`
	MinValues   *int            `json:"min_values"`
	MaxValues   *int            `json:"max_values"`
	Options     []selectOption  `json:"options"`
	Components  []component     `json:"components"`
	Component   *component      `json:"component"`
	Accessory   *component      `json:"accessory"`
	Content     string          `json:"content"`
	Placeholder json.RawMessage `json:"placeholder"`
}

type selectOption struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// walk visits a component and everything in it.
func (c *component) walk(visit func(*component)) {
	visit(c)
	for i := range c.Components {
		c.Components[i].walk(visit)
	}
	if c.Component != nil {
		c.Component.walk(visit)
	}
	if c.Accessory != nil {
		c.Accessory.walk(visit)
	}
}

func (c *component) interactive() bool {
	switch c.Type {
	case componentButton:
		return c.Style != styleLink && c.Style != stylePremium
	case componentSelect, componentText, componentUsers, componentRoles, componentMentionable, componentChannels, componentUpload, componentRadio, componentChecks, componentCheck:
		return true
	}
	return false
}

func (c *component) onlyV2() bool {
	return c.Type > componentChannels && c.Type != componentLabel
}

func parseComponents(raw []json.RawMessage) ([]component, error) {
	out := make([]component, len(raw))
	for i, r := range raw {
		if err := json.Unmarshal(r, &out[i]); err != nil {
			return nil, invalidForm("BASE_TYPE_BAD_TYPE", err.Error(), "components", strconv.Itoa(i))
		}
	}
	return out, nil
}

func tooLong(field string, limit int, path ...string) error {
	return invalidForm("BASE_TYPE_BAD_LENGTH", "Must be "+strconv.Itoa(limit)+" or fewer in length.", append(path, field)...)
}

// check refuses a message that Discord would refuse.
func (m *message) check() error {
	if utf8.RuneCountInString(m.content) > maxContent {
		return tooLong("content", maxContent)
	}
	if err := checkEmbeds(m.embeds); err != nil {
		return err
	}
	v2 := m.flags&flagComponentsV2 != 0
	if err := checkComponents(m.components, v2); err != nil {
		return err
	}
	switch {
	case v2 && (m.content != "" || len(m.embeds) > 0):
		return invalidForm("MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", "The 'content' and 'embeds' fields cannot be used when using MessageFlags.IS_COMPONENTS_V2.", "content")
	case m.content == "" && len(m.embeds)+len(m.components)+len(m.files) == 0 && m.flags&flagLoading == 0:
		return badRequest(50006, "Cannot send an empty message")
	}
	return nil
}

type embedText struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	Fields      []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"fields"`
	Footer struct {
		Text string `json:"text"`
	} `json:"footer"`
	Author struct {
		Name string `json:"name"`
	} `json:"author"`
}

func checkEmbeds(raw []json.RawMessage) error {
	if len(raw) > maxEmbeds {
		return tooLong("embeds", maxEmbeds)
	}
	total := 0
	for i, r := range raw {
		at := []string{"embeds", strconv.Itoa(i)}
		var e embedText
		if err := json.Unmarshal(r, &e); err != nil {
			return invalidForm("BASE_TYPE_BAD_TYPE", err.Error(), at...)
		}
		type bound struct {
			name, text string
			limit      int
		}
		texts := []bound{{"title", e.Title, 256}, {"description", e.Description, 4096}, {"footer", e.Footer.Text, 2048}, {"author", e.Author.Name, 256}}
		if len(e.Fields) > 25 {
			return tooLong("fields", 25, at...)
		}
		for _, f := range e.Fields {
			if f.Name == "" || f.Value == "" {
				return invalidForm("BASE_TYPE_REQUIRED", "This field is required", append(at, "fields")...)
			}
			texts = append(texts, bound{"fields", f.Name, 256}, bound{"fields", f.Value, 1024})
		}
		for _, t := range texts {
			n := utf8.RuneCountInString(t.text)
			if total += n; n > t.limit {
				return tooLong(t.name, t.limit, at...)
			}
		}
	}
	if total > maxEmbedText {
		return invalidForm("MAX_EMBED_SIZE_EXCEEDED", "Embed size exceeds maximum size of 6000", "embeds")
	}
	return nil
}

func checkComponents(raw []json.RawMessage, v2 bool) error {
	parts, err := parseComponents(raw)
	if err != nil {
		return err
	}
	if !v2 && len(parts) > maxRows {
		return tooLong("components", maxRows)
	}
	count := 0
	seen := map[string]bool{}
	var fault error
	fail := func(code, text string) {
		if fault == nil {
			fault = invalidForm(code, text, "components")
		}
	}
	for i := range parts {
		if !v2 && parts[i].Type != componentRow {
			fail("UNION_TYPE_CHOICES", "Value of field \"type\" must be one of (1,).")
		}
		parts[i].walk(func(c *component) {
			count++
			c.judge(seen, v2, fail)
		})
	}
	if v2 && count > maxComponents {
		fail("COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", "The total number of components cannot exceed 40")
	}
	return fault
}

// judge looks at one component.
func (c *component) judge(seen map[string]bool, v2 bool, fail func(code, text string)) {
	if !v2 && c.onlyV2() {
		fail("UNION_TYPE_CHOICES", "Components V2 need the flag IS_COMPONENTS_V2.")
	}
	if c.Type == componentRow && (len(c.Components) < 1 || len(c.Components) > maxButtons) {
		fail("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
	}
	if len(c.Options) > maxOptions || utf8.RuneCountInString(c.Label) > maxButtonLabel {
		fail("BASE_TYPE_BAD_LENGTH", "Options or label are too long.")
	}
	if !c.interactive() {
		return
	}
	if n := utf8.RuneCountInString(c.CustomID); n < 1 || n > maxCustomID {
		fail("BASE_TYPE_BAD_LENGTH", "custom_id must be between 1 and 100 in length.")
	}
	if seen[c.CustomID] {
		fail("COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
	}
	seen[c.CustomID] = true
}

// checkModal refuses a modal that Discord would refuse.
func checkModal(data modalData) error {
	if n := utf8.RuneCountInString(data.Title); n < 1 || n > maxModalTitle {
		return invalidForm("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 45 in length.", "data", "title")
	}
	if n := utf8.RuneCountInString(data.CustomID); n < 1 || n > maxCustomID {
		return invalidForm("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.", "data", "custom_id")
	}
	if n := len(data.Components); n < 1 || n > maxModalParts {
		return invalidForm("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.", "data", "components")
	}
	seen := map[string]bool{}
	var fault error
	for i := range data.Components {
		data.Components[i].walk(func(c *component) {
			c.judge(seen, true, func(code, text string) {
				if fault == nil {
					fault = invalidForm(code, text, "data", "components")
				}
			})
			if c.Type == componentButton {
				fault = invalidForm("UNION_TYPE_CHOICES", "Modals have no buttons.", "data", "components")
			}
			if utf8.RuneCountInString(c.Label) > maxModalTitle {
				fault = tooLong("label", maxModalTitle, "data", "components")
			}
		})
	}
	return fault
}
