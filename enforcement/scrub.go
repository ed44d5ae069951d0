package enforcement

import "regexp"

// Redacted stands where a secret was.
const Redacted = "[REDACTED]"

// secrets are texts that let their holder act: tokens of bots and users (three parts, the first an id in base64), addresses of
// webhooks, tokens of interactions. They are matched at token boundaries, so that "business_name" stays.
// https://discord.com/developers/docs/reference#authentication, …/resources/webhook, …/interactions/receiving-and-responding
var secrets = regexp.MustCompile(`(?:^|\b)(?:mfa\.[\w-]{20,}|[MNO][A-Za-z\d_-]{22,27}\.[\w-]{6}\.[\w-]{27,})\b` +
	`|https?://(?:\w+\.)?discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d+/[\w-]+` +
	`|\baW50ZXJhY3Rpb246[\w=+/-]+`)

// Scrub replaces Discord's tokens, webhook addresses and interaction tokens in a text.
func Scrub(s string) string { return secrets.ReplaceAllString(s, Redacted) }

// longestValue is how long a text in an event may be, in bytes.
const longestValue = 1024

// Bound scrubs a text and cuts it at a whole character.
func Bound(s string) string {
	s = Scrub(s)
	if len(s) <= longestValue {
		return s
	}
	cut := longestValue
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "[TRUNCATED]"
}
