//go:build !linux

package postgrestest

import "syscall"

// attributes are none: elsewhere a server outlives a test process that is killed, and whoever is root has to run the tests as another.
func attributes(*account) *syscall.SysProcAttr { return nil }
