package check

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probe"
	"sluice.dev/sluice/pipelines"
)

// http asks a URL, or a path of what the batch made.
func (p *Probes) http(ctx context.Context, q Question) Finding {
	h := q.Step.HTTP
	ask, err := httpOf(h)
	if err != nil {
		return Finding{Verdict: api.Error, Message: err.Error()}
	}
	to, err := url.Parse(h.URL)
	if err != nil {
		return Finding{Verdict: api.Error, Message: "url is none"}
	}
	if h.Target != "" {
		to = &url.URL{Scheme: cmp.Or(string(h.Scheme), "http")}
		if to.Path, to.RawQuery, err = pathOf(h.Path); err != nil {
			return Finding{Verdict: api.Error, Message: err.Error()}
		}
	}
	return p.ask(ctx, q, h.ProbeAim, endpoint{Host: to.Hostname(), Port: cmp.Or(to.Port(), portFor(to.Scheme))}, func(
		ctx context.Context, at endpoint,
	) probe.Result {
		return p.prober.HTTP(ctx, aimed(ask, *to, at))
	})
}

// aimed is a probe of an endpoint. Where the URL names a host, that host is whom the endpoint is asked for.
func aimed(ask probe.HTTP, to url.URL, at endpoint) probe.HTTP {
	if at.Name == "" {
		return ask
	}
	if to.Host != "" {
		ask.Headers = maps.Clone(ask.Headers)
		if ask.Headers == nil {
			ask.Headers = map[string]string{}
		}
		ask.Headers["Host"] = cmp.Or(ask.Headers["Host"], to.Host)
		ask.TLS.ServerName = cmp.Or(ask.TLS.ServerName, to.Hostname())
	}
	to.Host = at.address()
	ask.URL = to.String()
	if ask.Redirects == probe.AnyHost {
		ask.Redirects = probe.SameHost // what another host answers says nothing about this one
	}
	return ask
}

func portFor(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

func pathOf(text string) (path, query string, err error) {
	u, err := url.Parse(cmp.Or(text, "/"))
	if err != nil || u.Host != "" || !strings.HasPrefix(u.Path, "/") {
		return "", "", fmt.Errorf("path %q is none", text)
	}
	return u.Path, u.RawQuery, nil
}

// httpOf is what a step asks.
func httpOf(h *pipelines.HTTP) (probe.HTTP, error) {
	ask := probe.HTTP{
		URL: h.URL, Method: h.Method, Headers: h.Headers, Body: h.Body, TLS: trust(h.TLS), HTTP2: h.HTTP2,
		Redirects: probe.Redirects(h.Redirects), Within: within(h.ProbeAim), Reserved: h.AllowReserved != "",
	}
	e := h.Expect
	if e == nil {
		return ask, nil
	}
	for _, status := range e.Status {
		r, err := probe.ParseStatusRange(string(status))
		if err != nil {
			return ask, err
		}
		ask.Statuses = append(ask.Statuses, r)
	}
	var err error
	if ask.Match, err = patternOf("match", e.Match); err != nil {
		return ask, err
	}
	if ask.Avoid, err = patternOf("avoid", e.Avoid); err != nil {
		return ask, err
	}
	ask.Have = map[string]*regexp.Regexp{}
	for name, text := range e.Headers {
		if ask.Have[name], err = regexp.Compile(text); err != nil {
			return ask, fmt.Errorf("headers.%s: %w", name, err)
		}
	}
	if len(e.JSON) > 0 {
		ask.Accept = func(a probe.Answer) error { return holds(a.Body, e.JSON) }
	}
	return ask, nil
}

// patternOf is a pattern, or nil where there is none.
func patternOf(field, text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	pattern, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return pattern, nil
}

// holds says which value a JSON text does not have. It quotes nothing of the text: what stands there may be secret.
func holds(text []byte, wanted []pipelines.JSONValue) error {
	var body any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&body); err != nil || len(bytes.TrimSpace(text[decoder.InputOffset():])) > 0 {
		return errors.New("the body is no JSON")
	}
	for _, w := range wanted {
		got, there := valueAt(body, w.Pointer)
		switch {
		case !there:
			return fmt.Errorf("the body has no %s", w.Pointer)
		}
		same, err := equal(got, w.Equals)
		if err != nil {
			return fmt.Errorf("%s of the body %w", w.Pointer, err)
		}
		if !same {
			return fmt.Errorf("%s of the body is not %v", w.Pointer, w.Equals)
		}
	}
	return nil
}

// valueAt is the value at a JSON pointer (RFC 6901).
func valueAt(value any, pointer string) (any, bool) {
	for key := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		key = strings.NewReplacer("~1", "/", "~0", "~").Replace(key)
		switch v := value.(type) {
		case map[string]any:
			below, ok := v[key]
			if !ok {
				return nil, false
			}
			value = below
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			value = v[i]
		default:
			return nil, false
		}
	}
	switch value.(type) {
	case map[string]any, []any:
		return nil, false // no value that could be compared
	}
	return value, true
}

// exact is the least number beyond which not every whole one is a float64.
const exact = 1 << 53

// equal compares a value of a JSON text with a wanted one. Whole numbers are compared as such; where both are so large that one of
// them may have been rounded, that is an error.
func equal(got, want any) (bool, error) {
	number, is := got.(json.Number)
	if !is {
		return got == want, nil
	}
	if n, err := number.Int64(); err == nil {
		switch want := want.(type) {
		case int64:
			return n == want, nil
		case int:
			return n == int64(want), nil
		}
	}
	var f float64
	switch want := want.(type) {
	case int64:
		f = float64(want)
	case int:
		f = float64(want)
	case float64:
		f = want
	default:
		return false, nil
	}
	n, err := number.Float64()
	switch {
	case err != nil:
		return false, errors.New("is beyond all numbers")
	case n == f && math.Abs(f) >= exact:
		return false, errors.New("is too large to be compared without loss: write both as whole numbers")
	}
	return n == f, nil
}
