package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// problem is wire.Problem as huma answers with it.
type problem struct{ wire.Problem }

// Error returns what is wrong.
func (p *problem) Error() string { return p.Detail }

// GetStatus returns the status of the answer.
func (p *problem) GetStatus() int { return p.Status }

// ContentType is that of RFC 9457.
func (p *problem) ContentType(string) string { return wire.ProblemType }

// problemOf is what an error is answered with.
func problemOf(err error) *problem {
	code := fault.CodeOf(err)
	p := &problem{wire.Problem{Status: wire.StatusOf(code), Code: code, Detail: strings.ToValidUTF8(err.Error(), "�")}}
	p.Title = http.StatusText(p.Status)
	var wrong pipelines.Diagnostics
	if errors.As(err, &wrong) {
		p.Errors = mistakes(wrong)
	}
	return p
}

func mistakes(wrong pipelines.Diagnostics) []wire.Mistake {
	all := make([]wire.Mistake, len(wrong))
	for i, d := range wrong {
		all[i] = wire.Mistake{File: d.Position.File, Line: d.Position.Line, Column: d.Position.Column, Message: d.Message}
	}
	return all
}

// maxSaid bounds each of the things that are wrong with a body, in bytes.
const maxSaid = 1000

// asProblems has huma answer what it refuses itself in the same way as everything else is refused.
var asProblems = sync.OnceFunc(func() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		code := fault.Invalid
		switch {
		case status >= http.StatusInternalServerError:
			code = fault.Internal
		case status == http.StatusNotFound:
			code = fault.NotFound
		}
		var said []string
		for _, err := range errs {
			if err != nil {
				said = append(said, clip.Bytes(err.Error(), maxSaid)) // it may quote all that was sent
			}
		}
		if len(said) > 0 {
			message += ": " + strings.Join(said, "; ")
		}
		return &problem{wire.Problem{Status: status, Title: http.StatusText(status), Code: code, Detail: strings.ToValidUTF8(message, "�")}}
	}
})

// fail answers with an error outside of what huma answers.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
		s.Logger.Info("refused", "method", r.Method, "path", r.URL.Path, "from", r.RemoteAddr, "why", whyRefused(err))
	}
	s.write(w, p)
}

func (s *server) write(w http.ResponseWriter, p *problem) {
	w.Header().Set("Content-Type", wire.ProblemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}
