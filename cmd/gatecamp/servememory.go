package main

import (
	"context"
	"time"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/storage"
)

// memory keeps what a process wants to find again after a restart.
type memory interface {
	Remember(ctx context.Context, guild snowflake.ID, name string, value []byte, at time.Time) error
	Recall(ctx context.Context, guild snowflake.ID, name string) (value []byte, at time.Time, err error)
	Forget(ctx context.Context, guild snowflake.ID, name string) error
}

// memoryOf is the store's memory, where it has one.
func memoryOf(db any) memory {
	if m, ok := db.(memory); ok {
		return m
	}
	return forgetful{}
}

// forgetful remembers nothing.
type forgetful struct{}

// Remember satisfies memory.
func (forgetful) Remember(context.Context, snowflake.ID, string, []byte, time.Time) error { return nil }

// Recall satisfies memory.
func (forgetful) Recall(context.Context, snowflake.ID, string) ([]byte, time.Time, error) {
	return nil, time.Time{}, storage.ErrNotFound
}

// Forget satisfies memory.
func (forgetful) Forget(context.Context, snowflake.ID, string) error { return nil }
