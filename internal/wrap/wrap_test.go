package wrap_test

import (
	"errors"
	"io/fs"
	"testing"

	"gatecamp/internal/wrap"
)

func read(name string, cause error) (err error) {
	defer wrap.Err(&err, "store.Read(%s, %d)", name, 7)
	return cause
}

func TestAnErrorSaysWhichCallItCameFrom(t *testing.T) {
	err := read("runs", fs.ErrNotExist)
	if got, want := err.Error(), "store.Read(runs, 7): file does not exist"; got != want {
		t.Errorf("error = %q, want %q", got, want)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("the cause is lost")
	}
}

func TestNoErrorStaysNoError(t *testing.T) {
	if err := read("runs", nil); err != nil {
		t.Errorf("error = %v, want none", err)
	}
}

func TestTheCausesOwnTextIsNeverTakenForAFormat(t *testing.T) {
	if got, want := read("100%", errors.New("%s %d")).Error(), "store.Read(100%, 7): %s %d"; got != want {
		t.Errorf("error = %q, want %q", got, want)
	}
}

func TestNestedCallsReadFromTheOutside(t *testing.T) {
	outer := func() (err error) {
		defer wrap.Err(&err, "Sweep")
		return read("runs", fs.ErrExist)
	}
	if got, want := outer().Error(), "Sweep: store.Read(runs, 7): file already exists"; got != want {
		t.Errorf("error = %q, want %q", got, want)
	}
}
