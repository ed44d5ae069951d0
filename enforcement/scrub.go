package enforcement

import (
	"regexp"
	"strings"
)

// Redacted stands where a secret was.
const Redacted = "[REDACTED]"

// secrets are texts that let their holder act: tokens of bots and users (three parts, the first an id in base64), addresses of
// webhooks, tokens of interactions, headers that carry one, addresses of servers with a password. They are matched at token
// boundaries, so that "business_name" and "token_count" stay.
// https://discord.com/developers/docs/reference#authentication, …/resources/webhook, …/interactions/receiving-and-responding
var secrets = regexp.MustCompile(strings.Join([]string{
	`\bmfa\.[\w-]{20,}`,
	`\b[MNO][A-Za-z\d_-]{22,27}\.[\w-]{6}\.[\w-]{27,}`,
	`https?://(?:\w+\.)?discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d+/[\w-]+`,
	`\bwebhooks/\d{15,20}/[\w-]{20,}`,
	`\baW50ZXJhY3Rpb246[\w=+/-]+`,
	`\b(?i:bearer|bot) [\w.~+/-]{20,}=*`,
	`\b[A-Za-z][A-Za-z\d+.-]*://[^\s/@"'<>]*:[^\s"'<>]+@[^\s"'<>]*`, // scheme://user:password@server
	`\b[\w.-]+:[^\s"'<>]+@(?:tcp|unix)\([^)\s]*\)[^\s"'<>]*`,        // user:password@tcp(server)/name
	`\bpassword=[^\s&"']+`,
}, "|"))

// Scrub replaces what would let a reader act as somebody else.
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
