package processes

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// maxPart is how long a line of a log file may be. Longer lines are cut into parts, as container runtimes do.
const maxPart = 16 << 10

// logFile is a container's output in the format that kubelets read: time, stream, F for a full line or P for a part, text.
type logFile struct {
	path string

	mu   sync.Mutex
	file *os.File
}

func openLog(path string) (*logFile, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make folder of log: %w", err)
	}
	l := &logFile{path: path}
	return l, l.reopen()
}

// reopen goes on in the file that is at the path now.
func (l *logFile) reopen() error {
	file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("cannot open log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
	}
	l.file = file
	return nil
}

func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file.Close()
}

func (l *logFile) write(stream, tag string, text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// A full disk must not stop the container.
	fmt.Fprintf(l.file, "%s %s %s %s\n", time.Now().UTC().Format(time.RFC3339Nano), stream, tag, text)
}

// stream is one of the two outputs of a container.
func (l *logFile) stream(name string) *logStream { return &logStream{log: l, name: name} }

// logStream cuts what is written into lines. It keeps at most maxPart bytes.
type logStream struct {
	log  *logFile
	name string
	part []byte
}

// Write never fails.
func (s *logStream) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		line, rest, whole := bytes.Cut(p, []byte("\n"))
		if room := maxPart - len(s.part); len(line) > room {
			s.log.write(s.name, "P", append(s.part, line[:room]...))
			s.part = s.part[:0]
			p = p[room:]
			continue
		}
		s.part = append(s.part, line...)
		if whole {
			s.log.write(s.name, "F", s.part)
			s.part = s.part[:0]
		}
		p = rest
	}
	return written, nil
}

// flush writes what stands without an end of line.
func (s *logStream) flush() {
	if len(s.part) > 0 {
		s.log.write(s.name, "F", s.part)
		s.part = nil
	}
}
