//go:build unix

package main

import (
	"os"
	"runtime"
	"syscall"
)

// childRSS is the most memory that a process had which has ended, in bytes; 0 where the system does not say.
func childRSS(p *os.ProcessState) int64 {
	usage, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" { // there in bytes, elsewhere in kilobytes (getrusage(2))
		return usage.Maxrss
	}
	return usage.Maxrss * 1024
}
