//go:build unix

package stack

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrLocked means that a supervisor already runs on the folder.
var ErrLocked = errors.New("a supervisor is running")

// Lock is held by the supervisor of a folder. The system releases it when the
// process ends, however it ends.
type Lock struct {
	file *os.File
}

// Lock takes the folder's lock, or returns ErrLocked at once.
func (f Folder) Lock() (*Lock, error) {
	file, err := os.OpenFile(f.lockFile(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock state folder: %w", err)
	}
	if err := tryLock(file); err != nil {
		file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, fmt.Errorf("cannot lock state folder: %w", err)
	}
	if err = file.Truncate(0); err == nil {
		_, err = file.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot lock state folder: %w", err)
	}
	return &Lock{file: file}, nil
}

// tryLock bears with a process that only looks who holds the lock.
func tryLock(file *os.File) error {
	var err error
	for range 5 {
		if err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

// Release gives the lock back.
func (l *Lock) Release() { l.file.Close() }

// Holder returns the process that holds the folder's lock, 0 if none does.
func (f Folder) Holder() (int, error) {
	file, err := os.OpenFile(f.lockFile(), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot look at lock: %w", err)
	}
	defer file.Close()
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return 0, nil
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return 0, fmt.Errorf("cannot look at lock: %w", err)
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return 0, fmt.Errorf("cannot look at lock: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, fmt.Errorf("cannot look at lock: %q is no process", data)
	}
	return pid, nil
}
