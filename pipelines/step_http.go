package pipelines

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// HTTP asks a URL once, through no proxy and on a new connection, and says what the answer must be.
type HTTP struct {
	URL       string `json:"url,omitempty" is:"text"` // http or https; or a target
	ProbeAim  `json:",inline"`
	Scheme    URLScheme         `json:"scheme,omitempty"`           // of a target; default http
	Path      string            `json:"path,omitempty" is:"text"`   // of a target; default /
	Method    string            `json:"method,omitempty" is:"text"` // default GET
	Headers   map[string]string `json:"headers,omitempty" items:"0..50"`
	Body      string            `json:"body,omitempty"`
	TLS       *ProbeTLS         `json:"tls,omitempty"`
	HTTP2     bool              `json:"http2,omitempty"`     // the answer must come by HTTP/2, without TLS too
	Redirects Redirects         `json:"redirects,omitempty"` // which are followed, at most 5; default None
	Expect    *HTTPExpect       `json:"expect,omitempty"`    // default: a status of 200 to 299
}

// HTTPExpect is what an answer by HTTP must be; of its body the first MiB is read.
type HTTPExpect struct {
	Status  []IntOrText       `json:"status,omitempty" items:"1..20"`                  // such as 204, 200-299 or 2xx; default 2xx
	Headers map[string]string `json:"headers,omitempty" items:"1..20" expand:"regexp"` // patterns (RE2) of headers that must be there
	Match   string            `json:"match,omitempty" is:"text" expand:"regexp"`       // a pattern (RE2) that the body must have
	Avoid   string            `json:"avoid,omitempty" is:"text" expand:"regexp"`       // a pattern (RE2) that the body must not have
	JSON    []JSONValue       `json:"json,omitempty" items:"1..20"`                    // values that the body must have
}

// JSONValue is a value that a JSON text must have somewhere.
type JSONValue struct {
	Pointer string `json:"pointer" is:"pointer"` // where, as RFC 6901 has it, such as /status or /checks/0/state
	Equals  any    `json:"equals" is:"scalar"`   // a text, number, true or false; $(...) in a text leaves it a text
}

// UnmarshalJSON reads a whole number as one: as a float64 it might be another.
func (v *JSONValue) UnmarshalJSON(data []byte) error {
	var read struct {
		Pointer string
		Equals  json.RawMessage
	}
	if err := json.Unmarshal(data, &read); err != nil {
		return fmt.Errorf("cannot read a value of a body: %w", err)
	}
	equals, err := decodeJSON(read.Equals)
	if err != nil {
		return fmt.Errorf("cannot read what %s equals: it %w", read.Pointer, err)
	}
	v.Pointer, v.Equals = read.Pointer, equals
	return nil
}

// URLScheme is how a target is asked by HTTP.
type URLScheme string

func (URLScheme) values() []string { return []string{"http", "https"} }

// Redirects says which redirects of an answer are followed; one that is not is the answer.
type Redirects string

func (Redirects) values() []string { return []string{"None", "SameHost", "Any"} }

var (
	statusText = regexp.MustCompile(`^[1-5]([0-9]{2}(-[1-5][0-9]{2})?|xx)$`)
	method     = regexp.MustCompile(`^[A-Z]{1,20}$`)
	headerName = regexp.MustCompile("^[-A-Za-z0-9!#$%&'*+.^_`|~]{1,100}$")
)

// secretHeaders carry what a plan is no place for.
var secretHeaders = []string{"Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key"}

func lintHTTP(l *linter, s *Step, at spot) {
	h := s.HTTP
	if !at.has("url") && !at.has("target") {
		l.report.addAt(at, "it asks nobody: give url or target")
	}
	l.aim(s, &h.ProbeAim, "url", at)
	for _, field := range []string{"scheme", "path"} {
		if at.child(field) != nil && h.URL != "" {
			l.report.addAt(at.key(field), "%s goes with target: here it is a part of url", field)
		}
	}
	if h.Path != "" && !expands(h.Path) && !strings.HasPrefix(h.Path, "/") {
		l.report.addAt(at.at("path"), "path must begin with /")
	}
	l.url(h.URL, at)
	if h.Method != "" && !expands(h.Method) && !method.MatchString(h.Method) {
		l.report.addAt(at.at("method"), "method: %q is no method such as GET or POST", h.Method)
	}
	l.headers(h.Headers, at.at("headers"))
	l.trust(h.TLS, at)
	if h.Expect != nil {
		l.answer(h.Expect, at.at("expect"))
	}
}

// changes reports whether it may change whom it asks, as far as methods say that.
func (h *HTTP) changes() bool {
	return !slices.Contains([]string{"", http.MethodGet, http.MethodHead, http.MethodOptions}, h.Method)
}

func (l *linter) url(text string, at spot) {
	if text == "" || expands(text) {
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		l.report.addAt(at.at("url"), "url must be of the form http://HOST/PATH or https://HOST/PATH")
	case u.User != nil:
		l.report.addAt(at.at("url"), "url has a user: a plan is no place for secrets")
	}
}

func (l *linter) headers(headers map[string]string, at spot) {
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		switch {
		case !headerName.MatchString(name):
			l.report.addAt(at.key(name), "headers: %q is no name of a header", shortened(name))
		case slices.Contains(secretHeaders, http.CanonicalHeaderKey(name)):
			l.report.addAt(at.key(name), "headers: %s carries a secret, and a plan is no place for secrets", name)
		case strings.ContainsAny(headers[name], "\r\n"):
			l.report.addAt(at.at(name), "headers: %s has more than one line", name)
		}
	}
}

// answer checks what is said of an answer.
func (l *linter) answer(e *HTTPExpect, at spot) {
	for i, status := range e.Status {
		low, high, isRange := strings.Cut(string(status), "-")
		if !expands(string(status)) && (!statusText.MatchString(string(status)) || isRange && high < low) {
			l.report.addAt(at.at("status", i), "status: %q is no status, such as 204, 200-299 or 2xx", shortened(string(status)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		l.pattern(e.Headers[name], at.at("headers", name), "headers."+name)
	}
	l.pattern(e.Match, at.at("match"), "match")
	l.pattern(e.Avoid, at.at("avoid"), "avoid")
}
