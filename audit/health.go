package audit

// Health is how far a source can be believed.
type Health int

// The verdicts, worst last.
const (
	Healthy  Health = iota // believed
	Doubtful               // categories stay, every action becomes report
	Blind                  // nothing is concluded: no finding opened or closed
)

func (h Health) String() string { return [...]string{"healthy", "doubtful", "blind"}[h] }

// Counts are the facts of one read of Auth that its health is judged by, by their name in Facts of health.
type Counts map[string]int64
