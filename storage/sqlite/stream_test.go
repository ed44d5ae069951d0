package sqlite_test

import (
	"testing"

	"gatecamp/storage/sqlite"
	"gatecamp/storage/storagetest"
)

func TestTheStreamTellsWhatOtherProcessesChange(t *testing.T) {
	db := fresh(t)
	here, there := db.Open(t), db.Open(t)
	storagetest.RunStream(t, here.(*sqlite.Store).BlockStream(), here, there)
}
