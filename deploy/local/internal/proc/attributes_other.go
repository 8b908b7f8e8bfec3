//go:build unix && !linux

package proc

import "syscall"

// childAttributes puts a child into a process group of its own, so that Ctrl-C
// reaches only the supervisor.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// OutliveParent does nothing: no process is killed with the supervisor.
func OutliveParent() error { return nil }
