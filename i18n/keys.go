package i18n

// Numbers, lengths of time and lists.
const (
	NumberGroup     Key = "number.group"
	NumberPoint     Key = "number.point"
	NumberPercent   Key = "number.percent"
	DurationDays    Key = "duration.days"
	DurationHours   Key = "duration.hours"
	DurationMinutes Key = "duration.minutes"
	DurationSeconds Key = "duration.seconds"
	DurationInstant Key = "duration.instant"
	DurationAgo     Key = "duration.ago"
	DurationNow     Key = "duration.now"
	ListAnd         Key = "list.and"
)

// Things that are counted, each with its number: "3 members".
const (
	CountMembers    Key = "count.members"
	CountRoles      Key = "count.roles"
	CountAccounts   Key = "count.accounts"
	CountChanges    Key = "count.changes"
	CountFindings   Key = "count.findings"
	CountKicks      Key = "count.kicks"
	CountEntries    Key = "count.entries"
	CountPrivileged Key = "count.privileged" // privileged roles
)
