package i18n

// What /pause and /unpause say.
const (
	PauseDone     Key = "pause_answer.done"
	PauseEffect   Key = "pause_answer.effect"
	PauseAlready  Key = "pause_answer.already"
	PauseBy       Key = "pause_answer.by"
	UnpauseNot    Key = "pause_answer.not"
	UnpauseDone   Key = "pause_answer.ended"
	UnpauseEffect Key = "pause_answer.ended_effect"
)
