package scenario

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write what the stories expect of the record into testdata")

// program is the path of gatecamp, built once.
var program string

func TestMain(m *testing.M) {
	// Stories wait for Discord's windows most of the time: more of them than there are processors run side by side.
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	os.Exit(withProgram(m))
}

func withProgram(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gatecamp-scenario-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "gatecamp")
	if out, err := exec.CommandContext(context.Background(), "go", "build", "-o", program, "gatecamp/cmd/gatecamp").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "gatecamp cannot be built: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
