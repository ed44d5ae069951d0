package discord

import "time"

// Discord takes 120 sends a minute of a connection, heartbeats included, and disgo holds its locks while it waits for more (docs:
// events/gateway, Rate Limiting). Below that, reads of named members and reads of whole guilds have their own share, so that neither
// keeps the other from its turn.
const (
	sendsEvery = time.Minute
	namedSends = 60
	wholeSends = 40
)

// sendBudget counts what a shard sent in the last minute.
type sendBudget struct {
	named, whole []time.Time
	until        time.Time // nothing more about named members before: Discord said so
}

// take takes one of the share, or says no.
func take(sent *[]time.Time, most int, now time.Time) bool {
	for len(*sent) > 0 && now.Sub((*sent)[0]) >= sendsEvery {
		*sent = (*sent)[1:]
	}
	if len(*sent) >= most {
		return false
	}
	*sent = append(*sent, now)
	return true
}

func (b *sendBudget) takeNamed(now time.Time) bool {
	return !now.Before(b.until) && take(&b.named, namedSends, now)
}

func (b *sendBudget) takeWhole(now time.Time) bool { return take(&b.whole, wholeSends, now) }
