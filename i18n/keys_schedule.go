package i18n

// The alarm of the schedule.
const (
	ScheduleLateTitle Key = "schedule.late_title"
	ScheduleLateNever Key = "schedule.late_never"
	ScheduleLateLast  Key = "schedule.late_last"
	ScheduleLateDue   Key = "schedule.late_due"
	ScheduleLateCure  Key = "schedule.late_cure"
	ScheduleGuild     Key = "schedule.guild"
)
