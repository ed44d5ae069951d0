package schedule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/secret"
	"gatecamp/storage"
)

// memoryWebhook is what the names of remembered webhooks begin with.
const memoryWebhook = "webhook."

// WebhookState is what is remembered of a webhook.
type WebhookState struct {
	Name     string    `json:"name"`
	Mark     string    `json:"mark"` // tells one address from another and says nothing about it; empty: never used
	Dead     bool      `json:"dead"` // gone for good: nothing more is sent to this address
	Code     string    `json:"code"` // why the last message did not arrive; empty: it did
	Failures int       `json:"failures"`
	Failed   time.Time `json:"failed"` // the last that was given up; zero: none
	Sent     time.Time `json:"sent"`   // the last that arrived; zero: none
}

func (s WebhookState) sent(at time.Time) WebhookState {
	s.Dead, s.Code, s.Failures, s.Sent = false, "", 0, at.UTC()
	return s
}

func (s WebhookState) failed(at time.Time, code string, dead bool) WebhookState {
	s.Dead, s.Code, s.Failures, s.Failed = dead, code, s.Failures+1, at.UTC()
	return s
}

// markOf is a fingerprint of an address: its token has too many bits to be guessed from it.
func markOf(address secret.String) string {
	sum := sha256.Sum256([]byte("gatecamp webhook\x00" + address.Reveal()))
	return hex.EncodeToString(sum[:8])
}

func readWebhook(ctx context.Context, db storage.Memory, guild snowflake.ID, name string) (s WebhookState, err error) {
	raw, _, err := db.Recall(ctx, guild, memoryWebhook+name)
	if errors.Is(err, storage.ErrNotFound) {
		return WebhookState{Name: name}, nil
	}
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(raw, &s)
}

func (q *Queue) noteWebhook(ctx context.Context, guild snowflake.ID, name string, s WebhookState) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return q.cfg.Store.Remember(ctx, guild, memoryWebhook+name, raw, q.cfg.Now())
}
