package kubetest

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Log names the log of a container: the one that runs, or the one before its last restart.
type Log struct {
	Namespace, Pod, Container string
	Previous                  bool
}

// PutLog keeps the log of a container, as a node does: each line behind its time in RFC 3339. A container without one has not
// begun.
func (s *Server) PutLog(of Log, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.logs == nil {
		s.logs = map[Log]string{}
	}
	s.logs[of] = text
}

// serveLog answers as a kubelet does, through the API server.
func (s *Server) serveLog(w http.ResponseWriter, at place, q url.Values) {
	of := Log{Namespace: at.namespace, Pod: at.name, Container: q.Get("container"), Previous: q.Get("previous") == "true"}
	if s.BeforeLog != nil {
		if status := s.BeforeLog(of); status != 0 {
			refuse(w, status, "refused by the test")
			return
		}
	}
	s.mu.Lock()
	pod := s.objects[at.path()]
	text, ok := s.logs[of]
	s.mu.Unlock()
	switch {
	case pod == nil:
		refuse(w, http.StatusNotFound, at.what()+" not found")
	case !ok && of.Previous:
		refuse(w, http.StatusBadRequest, fmt.Sprintf("previous terminated container %q in pod %q not found", of.Container, of.Pod))
	case !ok:
		refuse(w, http.StatusBadRequest, fmt.Sprintf("container %q in pod %q is waiting to start: ContainerCreating", of.Container, of.Pod))
	default:
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, wanted(text, q))
	}
}

// wanted is the part of a log that a request asks for: the last lines, of them those since a time, of them the first bytes.
func wanted(text string, q url.Values) string {
	lines := strings.SplitAfter(text, "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	}
	if tail, err := strconv.Atoi(q.Get("tailLines")); err == nil {
		lines = lines[max(0, len(lines)-tail):]
	}
	since, _ := time.Parse(time.RFC3339, q.Get("sinceTime"))
	var b strings.Builder
	for _, line := range lines {
		stamp, rest, _ := strings.Cut(line, " ")
		if at, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(stamp)); err == nil && at.Before(since) {
			continue
		}
		if q.Get("timestamps") != "true" {
			line = rest
		}
		b.WriteString(line)
	}
	out := b.String()
	if limit, err := strconv.Atoi(q.Get("limitBytes")); err == nil {
		out = out[:min(limit, len(out))]
	}
	return out
}
