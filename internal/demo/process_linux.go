package demo

import "syscall"

// bound keeps a program from outliving this process, and keeps a Ctrl-C that is meant for this process from it: it is
// told to end in its turn.
func bound() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
