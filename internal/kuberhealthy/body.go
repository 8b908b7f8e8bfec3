package kuberhealthy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
)

// drained is how much more than is read a client may send, and still hears the answer.
const drained = 64 << 20

// body is a report as it is sent. Keys are taken in capitals and not, as both versions take them, and others are passed over.
type body struct {
	OK     bool     `json:"ok"`
	Errors []string `json:"errors"`
	Sluice *more    `json:"sluice"`
}

// more is what a program says beyond that.
type more struct {
	Verdict      api.Verdict                `json:"verdict"`
	Code         string                     `json:"code"`
	Severity     string                     `json:"severity"`
	Message      string                     `json:"message"`
	Observations map[string]json.RawMessage `json:"observations"`
	Parts        []probing.Part             `json:"parts"`
	Seq          int64                      `json:"seq"`
	Target       string                     `json:"target"`
}

// status is what version 3 answers: the state of the check after the report.
type status struct {
	OK     bool     `json:"ok"`
	Errors []string `json:"errors,omitempty"`
	Run    string   `json:"currentUUID"` // none: it has reported
}

func statusOf(r probing.Result) status {
	return status{OK: r.Verdict == api.Passed || r.Verdict == api.Skipped, Errors: r.Errors}
}

// read is the body as far as it may go, and whether there was more.
func read(w http.ResponseWriter, r *http.Request, within time.Duration) (raw []byte, cut bool, err error) {
	// A server without deadlines is one of a test, and bodies are there at once.
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(within)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, false, fmt.Errorf("cannot bound the body: %w", err)
	}
	raw, err = io.ReadAll(io.LimitReader(r.Body, probing.MaxReport+1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, false, err
	} else if err != nil {
		return nil, false, refuse(http.StatusBadRequest, "the report broke off: %v", err)
	}
	if len(raw) <= probing.MaxReport {
		return raw, false, nil
	}
	w.Header().Set("Connection", "close")
	_, _ = io.CopyN(io.Discard, r.Body, drained) // else it would see its connection broken, and not the answer
	return raw[:probing.MaxReport], true, nil
}

// decode is what a body says.
func decode(raw []byte, cut bool, by probing.Contract) (probing.Result, Report, error) {
	if cut {
		return decodeCut(raw, by)
	}
	var b body
	if err := json.Unmarshal(raw, &b); err != nil {
		return probing.Result{}, Report{}, refuse(http.StatusBadRequest, "the report is no JSON of one: %v", err)
	}
	r, err := b.result(by)
	return r, b.report(by), err
}

func (b *body) report(by probing.Contract) Report {
	r := Report{Contract: by}
	if b.Sluice != nil {
		r.Target, r.Seq = shown(b.Sluice.Target), b.Sluice.Seq
	}
	return r
}
