//go:build !linux

package demo

import "syscall"

// tied cannot do here what it does on Linux.
func tied() *syscall.SysProcAttr { return nil }

// apart keeps a Ctrl-C that is meant for this process from a program: it is told to end in its turn.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
