package i18n

// What the family /brake says.
const (
	BrakeTitle       Key = "brake_answer.title"
	BrakeSize        Key = "brake_answer.size"
	BrakeUnknownSize Key = "brake_answer.unknown_size"
	BrakeTrips       Key = "brake_answer.trips"
	BrakeNoTrips     Key = "brake_answer.no_trips"
	BrakeTripped     Key = "brake_answer.tripped"
	BrakeCause       Key = "brake_answer.cause"
	BrakeByRun       Key = "brake_answer.by_run"
	BrakeByEvent     Key = "brake_answer.by_event"
	BrakeLine        Key = "brake_answer.line"
	BrakeOneRole     Key = "brake_answer.one_role"
	BrakeLimit       Key = "brake_answer.limit"
	BrakeAllows      Key = "brake_answer.allows"
	BrakeUsed        Key = "brake_answer.used"
	BrakeNone        Key = "brake_answer.none"
	BrakeNoneCure    Key = "brake_answer.none_cure"
	BrakeNotTripped  Key = "brake_answer.not_tripped"
	BrakeReset       Key = "brake_answer.reset"
	BrakeResetEffect Key = "brake_answer.reset_effect"
)
