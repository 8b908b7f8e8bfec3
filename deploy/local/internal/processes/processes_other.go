//go:build unix && !linux

package processes

import (
	"os/exec"
	"syscall"
)

// attributes give a process a group of its own.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// waitForEnd waits for a process and ends what it leaves behind.
func waitForEnd(cmd *exec.Cmd) {
	cmd.Wait()
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
}

// killLeftovers does nothing: other processes' environments cannot be read here.
func killLeftovers(string) {}
