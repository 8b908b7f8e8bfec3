//go:build !linux

package prometheustest

import "syscall"

// attributes are none: elsewhere a server outlives a test process that is killed.
func attributes() *syscall.SysProcAttr { return nil }
