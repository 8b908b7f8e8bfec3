package server

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"sluice.dev/sluice/internal/wire"
)

// counting is what an answer is written to, with what is counted of it.
type counting struct {
	http.ResponseWriter
	operation string // "" until it is known, and for what is none
	status    int
}

// WriteHeader notes the status.
func (c *counting) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (c *counting) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// counted has requests be counted, but for those that only ask whether the server is there.
func (s *server) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isHealth(r) {
			next.ServeHTTP(w, r)
			return
		}
		c, began := &counting{ResponseWriter: w}, s.Clock.Now()
		defer func() {
			s.Metrics.Request(c.operation, c.status)
			if c.operation != wire.Watch.ID {
				s.Metrics.Took(c.operation, s.Clock.Since(began))
			}
		}()
		next.ServeHTTP(c, r)
	})
}

// called notes which operation a request asks for.
func called(hc huma.Context, next func(huma.Context)) {
	if _, w := humago.Unwrap(hc); w != nil {
		if c, ok := w.(*counting); ok {
			c.operation = hc.Operation().OperationID
		}
	}
	next(hc)
}

func isHealth(r *http.Request) bool { return r.URL.Path == "/healthz" || r.URL.Path == "/readyz" }
