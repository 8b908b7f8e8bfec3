package proc

import "syscall"

// childAttributes puts a child into a process group of its own, so that Ctrl-C
// reaches only the supervisor, and has it killed when the supervisor dies.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
