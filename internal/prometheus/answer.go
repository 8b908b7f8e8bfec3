package prometheus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
)

// Type is what a query evaluates to.
type Type string

// The types.
const (
	Scalar Type = "scalar"
	Vector Type = "vector"
	Matrix Type = "matrix"
	String Type = "string"
)

// Answer is what a query evaluates to. A scalar is one series without labels and with one sample; a series of a vector has one sample
// each; a vector or matrix may be empty. Values may be NaN and infinite.
type Answer struct {
	Type     Type
	Series   []Series
	Text     string   // of a String
	Warnings []string // that the answer may be less than the truth: at most 20
}

// Series is a series with its samples, the oldest first.
type Series struct {
	Labels  map[string]string
	Samples []Sample
}

// Sample is a value at a time.
type Sample struct {
	Time  time.Time
	Value float64
}

// envelope is how every answer of the API begins.
type envelope struct {
	Status    string   `json:"status"`
	ErrorType string   `json:"errorType"`
	Error     string   `json:"error"`
	Warnings  []string `json:"warnings"`
	IsPartial bool     `json:"isPartial"` // as VictoriaMetrics says it
	Data      struct {
		Type   Type            `json:"resultType"`
		Result json.RawMessage `json:"result"`
	} `json:"data"`
}

// Bounds of what is quoted from a server.
const (
	maxWarnings = 20
	maxQuote    = 300 // characters
)

// read makes an answer of a response. What is quoted of it is without the secrets of the login.
func read(status int, contentType string, body []byte, login Login) (Answer, error) {
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil || e.Status == "" {
		if status/100 == 2 {
			return Answer{}, fault.New(fault.Unreachable, "its answer is not that of Prometheus: %s", quote(body, contentType, login))
		}
		return Answer{}, fault.New(codeOf(status, ""), "it answers %d: %s", status, quote(body, contentType, login))
	}
	if e.Status != "success" {
		return Answer{}, fault.New(codeOf(status, e.ErrorType), "it answers %d %s: %s", status, e.ErrorType, clean(e.Error, login))
	}
	a, err := e.answer()
	if err != nil {
		return Answer{}, fault.Wrap(fault.Invalid, err, "cannot read its answer")
	}
	if e.IsPartial {
		e.Warnings = append([]string{"it is partial"}, e.Warnings...)
	}
	for _, w := range e.Warnings[:min(len(e.Warnings), maxWarnings)] {
		a.Warnings = append(a.Warnings, clean(w, login))
	}
	return a, nil
}

func (e *envelope) answer() (Answer, error) {
	a := Answer{Type: e.Data.Type}
	switch e.Data.Type {
	case Scalar:
		var s sample
		if err := json.Unmarshal(e.Data.Result, &s); err != nil {
			return Answer{}, err
		}
		a.Series = []Series{{Samples: []Sample{Sample(s)}}}
		return a, nil
	case String:
		var pair []any
		if err := json.Unmarshal(e.Data.Result, &pair); err != nil {
			return Answer{}, err
		}
		if len(pair) == 2 {
			a.Text, _ = pair[1].(string)
		}
		return a, nil
	case Vector, Matrix:
		return a, e.series(&a)
	}
	return Answer{}, fmt.Errorf("its type is %q", e.Data.Type)
}

func (e *envelope) series(a *Answer) error {
	var all []struct {
		Metric     map[string]string `json:"metric"`
		Value      *sample           `json:"value"`
		Values     []sample          `json:"values"`
		Histogram  json.RawMessage   `json:"histogram"`
		Histograms json.RawMessage   `json:"histograms"`
	}
	if err := json.Unmarshal(e.Data.Result, &all); err != nil {
		return err
	}
	if len(all) > MaxSeries {
		return fmt.Errorf("it has %d series, at most %d are read; ask for fewer", len(all), MaxSeries)
	}
	a.Series = make([]Series, 0, len(all))
	for _, s := range all {
		if s.Histogram != nil || s.Histograms != nil {
			return errors.New("it has native histograms; ask for a number of them, as with histogram_quantile")
		}
		if a.Type == Vector && s.Value == nil || a.Type == Matrix && s.Values == nil {
			return errors.New("a series has no samples")
		}
		one := Series{Labels: s.Metric}
		if a.Type == Vector {
			s.Values = []sample{*s.Value}
		}
		for _, v := range s.Values {
			one.Samples = append(one.Samples, Sample(v))
		}
		a.Series = append(a.Series, one)
	}
	return nil
}

// sample is a Sample as the API writes it: [1435781430.781, "0.5"].
type sample Sample

// UnmarshalJSON implements json.Unmarshaler.
func (s *sample) UnmarshalJSON(text []byte) error {
	inner, isList := bytes.CutPrefix(text, []byte("["))
	inner, isClosed := bytes.CutSuffix(inner, []byte("]"))
	at, value, isPair := bytes.Cut(inner, []byte(","))
	when, badTime := strconv.ParseFloat(string(bytes.TrimSpace(at)), 64)
	number, badValue := strconv.ParseFloat(strings.Trim(string(bytes.TrimSpace(value)), `"`), 64)
	if errors.Is(badValue, strconv.ErrRange) {
		badValue = nil // it is infinite then
	}
	if !isList || !isClosed || !isPair || badTime != nil || badValue != nil || math.Abs(when) > math.MaxInt64/1e6 {
		return fmt.Errorf("a sample is %s, not a time and a value", clip.Runes(string(text), maxQuote))
	}
	s.Time, s.Value = time.UnixMilli(int64(math.Round(when*1000))), number
	return nil
}

// codeOf is the kind of failure behind a status and the API's own word for it.
func codeOf(status int, errorType string) fault.Code {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fault.Unauthorized
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return fault.NotFound
	case errorType == "bad_data", errorType == "execution", status == http.StatusBadRequest:
		return fault.Invalid
	}
	return fault.Unreachable
}

// quote is the beginning of a body for people.
func quote(body []byte, contentType string, login Login) string {
	if len(bytes.TrimSpace(body)) == 0 {
		return "an empty body"
	}
	kind, _, _ := strings.Cut(contentType, ";")
	if kind == "text/html" {
		return "an HTML page"
	}
	return clean(string(body[:min(len(body), 4*maxQuote)]), login)
}

// clean makes a server's text fit for a message: one line, short, without what would move a terminal, and without our secrets.
func clean(text string, login Login) string {
	for _, secret := range []string{login.Token, login.Password} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	return clip.Runes(text, maxQuote)
}
