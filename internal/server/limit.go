package server

import (
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/wire"
)

// Bounds on how much one asks.
const (
	mostAtOnce  = 200 // requests of one subject
	mostPer     = 50  // a second, in the long run
	wrongAtOnce = 50  // requests of one address whose token is not accepted
	wrongPer    = 5
	maxLimited  = 10_000 // of whom is remembered how much they asked
	forgetAfter = 10 * time.Minute
)

// limits bound how often each of many asks.
type limits struct {
	per   rate.Limit
	burst int
	clock clock.PassiveClock

	mu sync.Mutex
	of map[string]*limit
}

type limit struct {
	*rate.Limiter
	seen time.Time
}

func newLimits(per rate.Limit, burst int, c clock.PassiveClock) *limits {
	return &limits{per: per, burst: burst, clock: c, of: map[string]*limit{}}
}

// allow reports whether somebody may ask once more now. Who has not asked for a while is forgotten; where there are too many to remember,
// those that are new share one bound.
func (l *limits) allow(name string) bool { return l.get(name).AllowN(l.clock.Now(), 1) }

func (l *limits) get(name string) *limit {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if l.of[name] == nil && len(l.of) >= maxLimited {
		for other, of := range l.of {
			if now.Sub(of.seen) > forgetAfter {
				delete(l.of, other)
			}
		}
		if len(l.of) >= maxLimited {
			name = ""
		}
	}
	of := l.of[name]
	if of == nil {
		of = &limit{Limiter: rate.NewLimiter(l.per, l.burst)}
		l.of[name] = of
	}
	of.seen = now
	return of
}

// tooMuch is answered to whoever asks too often.
func (s *server) tooMuch(w http.ResponseWriter) {
	w.Header().Set("Retry-After", strconv.Itoa(1))
	s.write(w, &problem{wire.Problem{
		Title: http.StatusText(http.StatusTooManyRequests), Status: http.StatusTooManyRequests, Code: fault.Unreachable,
		Detail: "cannot answer: you ask more often than " + strconv.Itoa(mostPer) + " times a second; ask again later",
	}})
}

// address is that of a connection, without its port.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
