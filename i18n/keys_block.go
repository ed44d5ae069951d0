package i18n

// What somebody is told who is kept out.
const (
	DeniedTitle          Key = "denied.title"
	DeniedText           Key = "denied.text"
	DeniedReason         Key = "denied.reason"
	DeniedNoReason       Key = "denied.no_reason"
	DeniedUntil          Key = "denied.until"
	DeniedForever        Key = "denied.forever"
	DeniedAppealName     Key = "denied.appeal.name"
	DeniedAppeal         Key = "denied.appeal"
	DeniedNumber         Key = "denied.number"
	DeniedUncheckedTitle Key = "denied.unchecked.title"
	DeniedUnchecked      Key = "denied.unchecked"
)
