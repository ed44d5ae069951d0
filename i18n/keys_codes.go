package i18n

// What surrounds codes.
const (
	AmountUnknown    Key = "amount.unknown"
	HealthUnreadable Key = "health_reason.unreadable"
	HealthNewer      Key = "health_reason.newer"
	HealthSilent     Key = "health_reason.silent"
	HealthAtMost     Key = "health_reason.at_most"
	HealthAtLeast    Key = "health_reason.at_least"
	CodeNow          Key = "code_now"
	CodeDiscord      Key = "code_discord"
	CureDiscord      Key = "cure_discord"
	CodeHTTP         Key = "code_http"
	CureHTTP         Key = "cure_http"
	CodeLost         Key = "code_lost"
	CureLost         Key = "cure_lost"
	CodeHeld         Key = "code_held"
)
