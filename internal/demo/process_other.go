//go:build !linux

package demo

import "syscall"

// bound keeps a Ctrl-C that is meant for this process from a program: it is told to end in its turn.
func bound() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
