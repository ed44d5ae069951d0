package i18n

// The alarm of the schedule, and who wants to hear of runs.
const (
	ScheduleLateTitle Key = "schedule.late_title"
	ScheduleLateNever Key = "schedule.late_never"
	ScheduleLateLast  Key = "schedule.late_last"
	ScheduleLateDue   Key = "schedule.late_due"
	ScheduleLateCure  Key = "schedule.late_cure"
	ScheduleGuild     Key = "schedule.guild"

	ScheduleSubscribed       Key = "schedule.subscribed"
	ScheduleSubscribedText   Key = "schedule.subscribed_text"
	ScheduleUnsubscribed     Key = "schedule.unsubscribed"
	ScheduleUnsubscribedText Key = "schedule.unsubscribed_text"
)
