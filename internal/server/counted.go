package server

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"sluice.dev/sluice/internal/traces"
	"sluice.dev/sluice/internal/wire"
)

// counting is what an answer is written to, with what is counted of it.
type counting struct {
	http.ResponseWriter
	operation string // "" until it is known, and for what is none
	run       string // that it is about; "" for none
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

// counted has requests be counted and traced, but for those that only ask whether the server is there.
func (s *server) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isHealth(r) {
			next.ServeHTTP(w, r)
			return
		}
		c, began := &counting{ResponseWriter: w}, s.Clock.Now()
		r, answered := s.Traces.Request(r)
		defer func() {
			answered(c.answer())
			s.Metrics.Request(c.operation, c.status)
			if c.operation != wire.Watch.ID {
				s.Metrics.Took(c.operation, s.Clock.Since(began))
			}
		}()
		next.ServeHTTP(c, r)
	})
}

// answer is what traces say of it. A watch lasts for as long as somebody looks on, and is none.
func (c *counting) answer() traces.Answer {
	if c.operation == wire.Watch.ID {
		return traces.Answer{}
	}
	return traces.Answer{Operation: c.operation, Run: c.run, Status: c.status}
}

// called notes which operation a request asks for.
func called(hc huma.Context, next func(huma.Context)) {
	if _, w := humago.Unwrap(hc); w != nil {
		if c, ok := w.(*counting); ok {
			c.operation, c.run = hc.Operation().OperationID, hc.Param("run")
		}
	}
	next(hc)
}

func isHealth(r *http.Request) bool { return r.URL.Path == "/healthz" || r.URL.Path == "/readyz" }
