package postgres_test

import (
	"context"
	"testing"
	"time"

	"gatecamp/storage"
	"gatecamp/storage/postgres"
	"gatecamp/storage/storagetest"
)

func TestTheStreamTellsWhatOtherProcessesChange(t *testing.T) {
	db := fresh(t)
	here, there := db.Open(t), db.Open(t)
	storagetest.RunStream(t, here.(*postgres.Store).BlockStream(), here, there)
}

func TestALostConnectionIsMadeAnewAndWhatWasMissedIsAskedFor(t *testing.T) {
	s := fresh(t).(schema)
	store := s.open(t)
	stream := store.BlockStream()
	ctx, stop := context.WithCancel(t.Context())
	told, ended := make(chan int64, 100), make(chan error, 1)
	go func() { ended <- stream.Run(ctx, func(n storage.BlockNews) { told <- n.Revision }) }()
	<-told
	// Other tests of the package listen too, each in a schema of its own.
	if _, err := s.SQL(t).ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gatecamp listen'`); err != nil {
		t.Fatal(err)
	}
	select {
	case <-told: // again from the beginning
	case <-time.After(20 * time.Second):
		t.Fatal("the connection was not made anew")
	}
	by := storage.Author{Actor: "console:root", Origin: "console", Reason: "because", At: time.Now()}
	b, _, err := store.Block(t.Context(), storage.Block{Scope: "user", Value: "7"}, by)
	if err != nil {
		t.Fatal(err)
	}
	for r := range told {
		if r == b.Revision {
			break
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
