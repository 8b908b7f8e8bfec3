package demo

import "syscall"

// tied kills a program when this process is gone, however that ended.
func tied() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// apart is tied, and keeps a Ctrl-C that is meant for this process from the program: it is told to end in its turn.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
