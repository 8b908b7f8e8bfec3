package proc

import (
	"fmt"
	"os"
	"sync"
)

// maxLog is the size at which a log file is moved aside. One older file is
// kept beside it.
const maxLog = 8 << 20

// LogFile is a log of bounded size.
type LogFile struct {
	path string

	mu   sync.Mutex
	file *os.File
	size int
}

// OpenLog starts a log file anew.
func OpenLog(path string) (*LogFile, error) {
	l := &LogFile{path: path}
	return l, l.open()
}

func (l *LogFile) open() error {
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("cannot open log: %w", err)
	}
	l.file, l.size = file, 0
	return nil
}

// Write appends to the log.
func (l *LogFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size+len(p) > maxLog {
		l.file.Close()
		if err := os.Rename(l.path, l.path+".1"); err != nil {
			return 0, fmt.Errorf("cannot turn over log: %w", err)
		}
		if err := l.open(); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(p)
	l.size += n
	return n, err
}

// Close closes the file.
func (l *LogFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
