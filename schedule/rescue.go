package schedule

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// rescue makes jobs available again that an earlier owner of the queues left in the middle. River itself waits an hour for that, since
// it cannot know that the owner is gone; here the lease says so. A job that has no attempt left is given up.
func rescue(ctx context.Context, db riverdriver.Executor, queues []string) (rescued int, err error) {
	now := time.Now().UTC()
	horizon := now.Add(time.Hour) // the clock of the one before may have gone ahead of ours
	const most = 1000
	for after := int64(0); ; {
		stuck, err := db.JobGetStuck(ctx, &riverdriver.JobGetStuckParams{AfterID: after, Max: most, StuckHorizon: horizon})
		if err != nil || len(stuck) == 0 {
			return rescued, err
		}
		after = stuck[len(stuck)-1].ID
		p := riverdriver.JobRescueManyParams{StuckHorizon: horizon}
		for _, job := range stuck {
			if !slices.Contains(queues, job.Queue) {
				continue
			}
			why, err := json.Marshal(rivertype.AttemptError{At: now, Attempt: max(job.Attempt, 0), Error: "process_gone"})
			if err != nil {
				return rescued, err
			}
			p.ID, p.Error, p.ScheduledAt = append(p.ID, job.ID), append(p.Error, why), append(p.ScheduledAt, now)
			if job.Attempt < job.MaxAttempts {
				p.State, p.FinalizedAt = append(p.State, string(rivertype.JobStateAvailable)), append(p.FinalizedAt, nil)
			} else {
				p.State, p.FinalizedAt = append(p.State, string(rivertype.JobStateDiscarded)), append(p.FinalizedAt, &now)
			}
		}
		if len(p.ID) > 0 {
			if _, err := db.JobRescueMany(ctx, &p); err != nil {
				return rescued, err
			}
			rescued += len(p.ID)
		}
		if len(stuck) < most {
			return rescued, nil
		}
	}
}
