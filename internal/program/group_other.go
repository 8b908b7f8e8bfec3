//go:build !unix

package program

import (
	"os"
	"os/exec"
)

// ofItsOwn does nothing: there are no process groups here.
func ofItsOwn(*exec.Cmd) {}

func killAll(*exec.Cmd) {}

func status(s *os.ProcessState) int { return s.ExitCode() }
