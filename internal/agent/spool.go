package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"sync"

	"google.golang.org/grpc"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/uplink"
)

// Bounds of a spool.
const (
	maxSpooled = 4096
	maxLine    = 64 << 10 // bytes of one report
	atOnce     = 200      // reports in one call
	atOnceSize = 1 << 20  // bytes of them
	maxFile    = 32 << 20 // bytes: it is written anew then, without what has been overtaken
)

// spool keeps on disk what an agent has done and seen and cannot report, as the link is down. What it may do next it cannot ask either: a
// spool holds reports alone, the last of each kind and object. Each is a line of the file; what has come through leaves it.
type spool struct {
	file string

	mu      sync.Mutex
	waiting []uplink.Report // in order
	at      map[string]int  // where each waits, by its key
	size    int64           // of the file, as far as it is whole
	torn    bool            // what comes after that is half a line
}

// openSpool reads what could not be reported before. A line that was cut off in the middle of writing is left out, and leaves the file
// before another one comes.
func openSpool(file string) (*spool, error) {
	s := &spool{file: file, at: map[string]int{}}
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.Internal, err, "cannot read what is to be reported")
	}
	for line := range bytes.Lines(data) {
		var r uplink.Report
		switch {
		case !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &r) != nil:
			s.torn = true
		case len(s.waiting) < maxSpooled:
			s.put(r)
		}
	}
	s.size = int64(len(data))
	return s, nil
}

// put has a report be the last of its kind.
func (s *spool) put(r uplink.Report) {
	if i, there := s.at[r.Key()]; there {
		s.waiting[i] = r
		return
	}
	s.at[r.Key()] = len(s.waiting)
	s.waiting = append(s.waiting, r)
}

// add keeps a report. It is fault.Unreachable where there is no room: whoever did it stops then, as nobody may hear of it.
func (s *spool) add(r uplink.Report, why error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	line, err := json.Marshal(r)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot keep what is to be reported")
	}
	if len(s.waiting) >= maxSpooled || len(line) >= maxLine {
		return fault.Wrap(fault.Unreachable, why, "cannot report, and %d reports wait already", len(s.waiting))
	}
	if s.torn || s.size > maxFile {
		if err := s.rewrite(); err != nil {
			return err
		}
	}
	if err := appendLine(s.file, append(line, '\n')); err != nil {
		s.torn = true
		return fault.Wrap(fault.Internal, err, "cannot keep what is to be reported")
	}
	s.size += int64(len(line)) + 1
	s.put(r)
	return nil
}

// appendLine has a line be the last of a file, and on disk.
func appendLine(file string, line []byte) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(line)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// send reports what waits, and forgets what has come through.
func (s *spool) send(ctx context.Context, server grpc.ClientConnInterface) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.waiting) > 0 {
		n, err := s.next()
		if err != nil {
			return err
		}
		if _, err := uplink.ReportLate.Call(ctx, server, s.waiting[:n]); err != nil {
			return err
		}
		rest := s.waiting[n:]
		s.waiting = nil
		clear(s.at)
		for _, r := range rest {
			s.put(r)
		}
		if err := s.rewrite(); err != nil {
			return err
		}
	}
	return nil
}

// next is how many reports go into the next call.
func (s *spool) next() (n int, err error) {
	size := 0
	for n < min(len(s.waiting), atOnce) {
		line, err := json.Marshal(s.waiting[n])
		if err != nil {
			return 0, fault.Wrap(fault.Internal, err, "cannot report")
		}
		if size += len(line); n > 0 && size > atOnceSize {
			break
		}
		n++
	}
	return n, nil
}

// rewrite has the file hold what waits, and no more.
func (s *spool) rewrite() error {
	var all bytes.Buffer
	for _, r := range s.waiting {
		line, err := json.Marshal(r)
		if err != nil {
			return fault.Wrap(fault.Internal, err, "cannot keep what is to be reported")
		}
		all.Write(append(line, '\n'))
	}
	if err := writeFile(s.file, all.Bytes()); err != nil {
		return err
	}
	s.size, s.torn = int64(all.Len()), false
	return nil
}
