package forge

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Later is why a forge did not answer: it was asked too much, or is being mended.
type Later struct {
	After time.Duration // so long it wants to be left alone; never 0
	said  error
}

// Error returns what it said, and for how long it wants to be left alone.
func (l *Later) Error() string {
	return fmt.Sprintf("%v; it wants to be left alone for %s", l.said, l.After.Round(time.Second))
}

// Unwrap returns what it said.
func (l *Later) Unwrap() error { return l.said }

const (
	maxLater = 6 * time.Hour
	// someLater is what GitHub asks for where it does not say how long.
	someLater = time.Minute
)

// later is for how long an answer asks to be left alone; 0 where it does not. How long that is goes by the forge's own clock.
func later(status int, head http.Header, said string) time.Duration {
	limited := status == http.StatusTooManyRequests
	if status == http.StatusForbidden { // GitHub's, which also means that the token may not
		limited = head.Get("Retry-After") != "" || spent(head) || strings.Contains(strings.ToLower(said), "rate limit")
	}
	if !limited && status != http.StatusServiceUnavailable {
		return 0
	}
	for _, wait := range []time.Duration{retryAfter(head), reset(head)} {
		if wait > 0 {
			return min(wait, maxLater)
		}
	}
	if limited {
		return someLater
	}
	return 0
}

// spent reports whether nothing is left of what may be asked in an hour.
func spent(head http.Header) bool {
	return head.Get("X-RateLimit-Remaining") == "0" || head.Get("RateLimit-Remaining") == "0"
}

func retryAfter(head http.Header) time.Duration {
	text := head.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), int(maxLater/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return since(head, at)
}

// reset is when what may be asked is counted anew.
func reset(head http.Header) time.Duration {
	if !spent(head) {
		return 0
	}
	for _, name := range []string{"X-RateLimit-Reset", "RateLimit-Reset"} {
		if at, err := strconv.ParseInt(head.Get(name), 10, 64); err == nil && at > 0 {
			return max(since(head, time.Unix(at, 0)), time.Second) // it may be over as it is told
		}
	}
	return 0
}

func since(head http.Header, at time.Time) time.Duration {
	sent, err := http.ParseTime(head.Get("Date"))
	if err != nil {
		return 0
	}
	return max(at.Sub(sent), 0)
}
