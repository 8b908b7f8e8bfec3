package localtest

import "syscall"

// attributes end the stack when the test's process is gone.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
