package proc

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// KeepInherited has no child inherit what whoever started this process left open, such as the lock of a script that would be held for
// as long as the child lives. What a child is meant to have, package os/exec hands on all the same.
func KeepInherited() error {
	open, err := os.ReadDir("/dev/fd")
	if err != nil {
		return fmt.Errorf("cannot see which files are open: %w", err)
	}
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > syscall.Stderr {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}
