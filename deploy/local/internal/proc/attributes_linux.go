package proc

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttributes puts a child into a process group of its own, so that Ctrl-C
// reaches only the supervisor, and has it killed when the supervisor dies.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// OutliveParent takes back that this process is killed with the supervisor. It then ends by its lifeline, in order.
func OutliveParent() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot outlive the supervisor: %w", err)
	}
	return nil
}
