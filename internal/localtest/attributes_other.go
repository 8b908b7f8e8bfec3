//go:build !linux

package localtest

import "syscall"

// attributes are none: elsewhere a stack outlives a test process that is killed.
func attributes() *syscall.SysProcAttr { return nil }
