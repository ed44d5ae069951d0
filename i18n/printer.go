package i18n

import (
	"maps"
	"strconv"
	"strings"
	"time"

	goi18n "github.com/nicksnyder/go-i18n/v2/i18n"
)

// Printer tells texts in one language. It does not change, so anybody may use it at any time.
type Printer struct {
	catalogue *Catalogue
	language  string
	localizer *goi18n.Localizer
}

// Language is the language that it speaks: "en", "ru".
func (p *Printer) Language() string { return p.language }

// T tells a text; one that this language lacks is told in English, and one that nobody knows is its key.
func (p *Printer) T(key Key, args ...Args) string {
	return p.tell(key, &goi18n.LocalizeConfig{MessageID: string(key), TemplateData: merged(args)})
}

// N tells a text in the plural form that belongs to n; the number itself is the place N.
func (p *Printer) N(key Key, n int, args ...Args) string {
	all := merged(args)
	if _, given := all["N"]; !given {
		all["N"] = p.Number(n)
	}
	return p.tell(key, &goi18n.LocalizeConfig{MessageID: string(key), TemplateData: all, PluralCount: n})
}

func (p *Printer) tell(key Key, cfg *goi18n.LocalizeConfig) string {
	text, err := p.localizer.Localize(cfg)
	if err != nil && text == "" {
		return string(key)
	}
	return text
}

func merged(args []Args) Args {
	all := Args{}
	for _, a := range args {
		maps.Copy(all, a)
	}
	return all
}

// Number is a whole number; from five digits on, in groups of three.
func (p *Printer) Number(n int) string {
	digits := strconv.Itoa(n)
	if n > -10_000 && n < 10_000 {
		return digits
	}
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	b.WriteString(sign)
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(p.T(NumberGroup))
		}
		b.WriteRune(d)
	}
	return b.String()
}

// Percent is a share in basis points (1/10,000): "12.5%".
func (p *Printer) Percent(points int64) string {
	whole := strconv.FormatInt(points/100, 10)
	part := strings.TrimRight(strconv.FormatInt(100+points%100, 10)[1:], "0")
	if part != "" {
		whole += p.T(NumberPoint) + part
	}
	return p.T(NumberPercent, Args{"Number": whole})
}

// units of time, longest first, with how many of each are told before the next longer one is used.
var units = []struct {
	of  time.Duration
	key Key
}{{24 * time.Hour, DurationDays}, {time.Hour, DurationHours}, {time.Minute, DurationMinutes}, {time.Second, DurationSeconds}}

// Duration is a length of time in words, in its two largest units, rounded down: "2 days 3 hours". Less than a second is told as such.
func (p *Printer) Duration(d time.Duration) string {
	var parts []string
	for i, u := range units {
		if n := d / u.of; n > 0 {
			parts = append(parts, p.N(u.key, int(n)))
			d %= u.of
			if i+1 < len(units) {
				if m := d / units[i+1].of; m > 0 {
					parts = append(parts, p.N(units[i+1].key, int(m)))
				}
			}
			break
		}
	}
	if len(parts) == 0 {
		return p.T(DurationInstant)
	}
	return strings.Join(parts, " ")
}

// Ago is how long something has been so, in its largest unit: "3 minutes ago"; what is to come, and less than a second, is "just now".
func (p *Printer) Ago(d time.Duration) string {
	for _, u := range units {
		if n := d / u.of; n > 0 {
			return p.T(DurationAgo, Args{"Duration": p.N(u.key, int(n))})
		}
	}
	return p.T(DurationNow)
}

// List is a list in words: "a, b and c".
func (p *Printer) List(parts []string) string {
	switch n := len(parts); n {
	case 0:
		return ""
	case 1:
		return parts[0]
	default:
		return p.T(ListAnd, Args{"First": strings.Join(parts[:n-1], ", "), "Last": parts[n-1]})
	}
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }
