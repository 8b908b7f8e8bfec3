package prometheustest

import "syscall"

// attributes end the server when the test's process is gone.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
