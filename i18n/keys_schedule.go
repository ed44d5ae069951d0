package i18n

// The alarm of the schedule, who wants to hear of runs, and the warning before a kick.
const (
	ScheduleLateTitle    Key = "schedule.late_title"
	ScheduleLateNever    Key = "schedule.late_never"
	ScheduleLateLast     Key = "schedule.late_last"
	ScheduleLateDue      Key = "schedule.late_due"
	ScheduleLateCure     Key = "schedule.late_cure"
	ScheduleGuild        Key = "schedule.guild"
	ScheduleWebhookTitle Key = "schedule.webhook_title"
	ScheduleWebhookText  Key = "schedule.webhook_text"

	ScheduleSubscribed       Key = "schedule.subscribed"
	ScheduleSubscribedText   Key = "schedule.subscribed_text"
	ScheduleUnsubscribed     Key = "schedule.unsubscribed"
	ScheduleUnsubscribedText Key = "schedule.unsubscribed_text"

	ScheduleWarnTitle    Key = "schedule.warn_title"
	ScheduleWarnUnlinked Key = "schedule.warn_unlinked"
	ScheduleWarnNoAccess Key = "schedule.warn_no_access"
	ScheduleWarnWhen     Key = "schedule.warn_when"
	ScheduleWarnLink     Key = "schedule.warn_link"
	ScheduleWarnRegain   Key = "schedule.warn_regain"
)
