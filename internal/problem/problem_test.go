package problem_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"gatecamp/internal/problem"
)

func TestAProblemSaysWhatAndCureAndKeepsTheCauseForTheLog(t *testing.T) {
	p := problem.New(problem.Usage, "the policy has no category", "name at least one").Because(fs.ErrNotExist)
	if got, want := p.Error(), "the policy has no category; name at least one"; got != want {
		t.Errorf("Error = %q, want %q", got, want)
	}
	if !errors.Is(p, fs.ErrNotExist) {
		t.Error("the cause cannot be found")
	}
	if got, want := problem.Usagef("id %q is no number", "x").Error(), `id "x" is no number`; got != want {
		t.Errorf("without a cure, Error = %q, want %q", got, want)
	}
}

func TestTheKindIsFoundHoweverDeep(t *testing.T) {
	refused := problem.Refusedf("you lack %s", "gatecamp.apply")
	for name, c := range map[string]struct {
		err  error
		want problem.Kind
	}{
		"no error":          {nil, problem.Failed},
		"a foreign error":   {fs.ErrClosed, problem.Failed},
		"itself":            {refused, problem.Refused},
		"wrapped":           {fmt.Errorf("plan.Apply: %w", refused), problem.Refused},
		"joined":            {errors.Join(fs.ErrClosed, problem.Usagef("no")), problem.Usage},
		"the first of two":  {errors.Join(problem.New(problem.Held, "a", ""), refused), problem.Held},
		"the outer problem": {problem.New(problem.Held, "held", "").Because(refused), problem.Held},
	} {
		if got := problem.KindOf(c.err); got != c.want {
			t.Errorf("%s: kind = %v, want %v", name, got, c.want)
		}
	}
}

func TestEveryKindHasAName(t *testing.T) {
	seen := map[string]bool{}
	for k := problem.Failed; k <= problem.Held; k++ {
		if name := k.String(); name == "" || seen[name] {
			t.Errorf("kind %d is named %q, empty or a second time", k, name)
		}
		seen[k.String()] = true
	}
}
