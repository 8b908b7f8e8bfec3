package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/clip"
)

// Bounds on an answer by HTTP.
const (
	// MaxBody is how many bytes of a body are read.
	MaxBody = 1 << 20
	// MaxHops is how many redirects are followed.
	MaxHops = 5

	maxHeader = 64 << 10
)

// Redirects says which redirects are followed.
type Redirects string

// The ways with redirects. One that is not followed is the answer.
const (
	NoRedirects Redirects = "None"
	SameHost    Redirects = "SameHost" // to the same host and port, by the same scheme or from http to https
	AnyHost     Redirects = "Any"
)

// HTTP asks a URL, and says what its answer must be.
type HTTP struct {
	URL       string            // http or https, without a user
	Method    string            // "" is GET
	Headers   map[string]string // Host among them is the name asked for
	Body      string
	TLS       TLS
	HTTP2     bool // the answer must come by HTTP/2; without TLS too
	Redirects Redirects
	Within    time.Duration // for all of it, redirects and body among it
	Reserved  bool          // a reserved address may be asked

	Statuses []StatusRange             // one of them must hold; none is 200 to 299
	Have     map[string]*regexp.Regexp // headers of the answer that must be there, and match
	Match    *regexp.Regexp            // what the body must have
	Avoid    *regexp.Regexp            // what the body must not have
	// Accept judges what the other tests let pass, where all of the body was read; nil accepts all. An error is what is wrong with it.
	Accept func(Answer) error
}

// Answer is what came by HTTP.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // its first MaxBody bytes
	Whole  bool   // that is all of it
}

// HTTP asks once.
func (p *Prober) HTTP(ctx context.Context, q HTTP) Result {
	return p.ask(ctx, cmp.Or(q.Method, http.MethodGet)+" "+redacted(q.URL), q.Within, q.Reserved, func(ctx context.Context, a *attempt) error {
		request, err := q.request(ctx)
		if err != nil {
			return err
		}
		transport, err := q.transport(a, request.URL.Hostname())
		if err != nil {
			return err
		}
		defer transport.CloseIdleConnections()
		client := http.Client{Transport: transport, CheckRedirect: q.follow}
		response, err := client.Do(request)
		switch {
		case err != nil && q.HTTP2 && a.at() == Reply:
			return failed(Reply, "no answer by HTTP/2: %w", beneath(err))
		case err != nil:
			return beneath(err)
		}
		defer func() { _ = response.Body.Close() }()
		return q.judge(a, response)
	})
}

// redacted is a URL without a password; nothing of one that cannot be read.
func redacted(text string) string {
	to, err := url.Parse(text)
	if err != nil {
		return "a URL"
	}
	return to.Redacted()
}

// beneath is the error that the client met, without the words about the URL around it.
func beneath(err error) error {
	var around *url.Error
	if errors.As(err, &around) {
		return around.Err
	}
	return err
}

func (q HTTP) request(ctx context.Context) (*http.Request, error) {
	to, err := url.Parse(q.URL)
	switch {
	case err != nil:
		return nil, senseless("cannot read the URL: %w", beneath(err))
	case to.Scheme != "http" && to.Scheme != "https", to.Hostname() == "":
		return nil, senseless("the URL %s is not of the form http://HOST or https://HOST", to.Redacted())
	case to.User != nil:
		return nil, senseless("the URL of %s has a user: plans are no place for passwords", to.Host)
	}
	var body io.Reader
	if q.Body != "" {
		body = strings.NewReader(q.Body)
	}
	request, err := http.NewRequestWithContext(ctx, q.Method, q.URL, body)
	if err != nil {
		return nil, senseless("cannot make a request: %w", err)
	}
	request.Header.Set("User-Agent", "sluice-probe")
	for name, value := range q.Headers {
		if strings.EqualFold(name, "Host") {
			request.Host = value
			continue
		}
		request.Header.Set(name, value)
	}
	return request, nil
}

// transport is a way for this request alone: what answered an earlier one on a connection that was kept says little of now.
func (q HTTP) transport(a *attempt, host string) (*http.Transport, error) {
	var speaks http.Protocols
	speaks.SetHTTP1(!q.HTTP2)
	speaks.SetHTTP2(true)
	speaks.SetUnencryptedHTTP2(q.HTTP2)
	protocols := []string{"h2", "http/1.1"}
	if q.HTTP2 {
		protocols = protocols[:1]
	}
	if _, err := a.config(q.TLS, host); err != nil {
		return nil, err
	}
	return &http.Transport{
		Protocols:              &speaks,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		DialContext:            a.dial,
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			config, err := a.config(q.TLS, host, protocols...)
			if err != nil {
				return nil, err
			}
			conn, err := a.dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return a.secure(ctx, conn, config)
		},
	}, nil
}

// follow says whether a redirect is followed.
func (q HTTP) follow(to *http.Request, via []*http.Request) error {
	if q.Redirects != SameHost && q.Redirects != AnyHost {
		return http.ErrUseLastResponse
	}
	if len(via) > MaxHops {
		return failed(Status, "more than %d redirects, the last to %s", MaxHops, bare(to.URL.String()))
	}
	from := via[0].URL
	upgraded := from.Scheme == "http" && to.URL.Scheme == "https"
	same := from.Hostname() == to.URL.Hostname() && (upgraded || from.Scheme == to.URL.Scheme && from.Port() == to.URL.Port())
	if q.Redirects == SameHost && !same {
		return http.ErrUseLastResponse
	}
	return nil
}

// judge looks at an answer from the outside in: protocol, status, headers, body.
func (q HTTP) judge(a *attempt, response *http.Response) error {
	a.reach(Status)
	a.see("status", int64(response.StatusCode))
	a.see("protocol", response.Proto)
	if q.HTTP2 && response.ProtoMajor != 2 {
		return failed(Reply, "it answered by %s, not by HTTP/2", response.Proto)
	}
	if !q.takes(response.StatusCode) {
		if to := response.Header.Get("Location"); to != "" && response.StatusCode/100 == 3 {
			return failed(Status, "status %d, a redirect to %s that is not followed", response.StatusCode, bare(to))
		}
		return failed(Status, "status %d", response.StatusCode)
	}
	for _, name := range slices.Sorted(maps.Keys(q.Have)) {
		values := response.Header.Values(name)
		if !slices.ContainsFunc(values, q.Have[name].MatchString) {
			return failed(Status, "no header %s that matches %s", name, q.Have[name])
		}
	}
	a.reach(Body)
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxBody+1))
	if err != nil {
		return fmt.Errorf("the answer broke off after %d bytes: %w", len(body), err)
	}
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" && q.reads() {
		return unsure(Body, "the body is encoded as %s, and is not read", clip.Runes(encoding, 40))
	}
	whole := len(body) <= MaxBody
	body = body[:min(len(body), MaxBody)]
	a.see("bytes", int64(len(body)))
	if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err == nil {
		a.see("mediaType", kind)
	}
	return q.read(Answer{response.StatusCode, response.Header, body, whole})
}

// reads reports whether a body must be read.
func (q HTTP) reads() bool { return q.Match != nil || q.Avoid != nil || q.Accept != nil }

// read looks at a body. It quotes nothing of it: what it says may be secret.
func (q HTTP) read(got Answer) error {
	switch {
	case q.Avoid != nil && q.Avoid.Match(got.Body):
		return failed(Body, "the body has what matches %s", q.Avoid)
	case q.Match != nil && !q.Match.Match(got.Body):
		if !got.Whole {
			return unsure(Body, "the first %d bytes of the body have nothing that matches %s, and more are not read", MaxBody, q.Match)
		}
		return failed(Body, "the body, %d bytes, has nothing that matches %s", len(got.Body), q.Match)
	case q.Avoid != nil && !got.Whole:
		return unsure(Body, "the first %d bytes of the body have nothing that matches %s, and more are not read", MaxBody, q.Avoid)
	case q.Accept != nil && !got.Whole:
		return unsure(Body, "the body is longer than %d bytes, and more are not read", MaxBody)
	case q.Accept != nil:
		return q.Accept(got)
	}
	return nil
}

func (q HTTP) takes(status int) bool {
	if len(q.Statuses) == 0 {
		return status/100 == 2
	}
	return slices.ContainsFunc(q.Statuses, func(r StatusRange) bool { return r.Low <= status && status <= r.High })
}

// bare is where a redirect leads, without the user and the query: a login hands over its secrets there.
func bare(location string) string {
	to, err := url.Parse(location)
	if err != nil {
		return "what is no URL"
	}
	to.User, to.RawQuery, to.ForceQuery, to.Fragment = nil, "", false, ""
	return clip.Runes(to.String(), 200)
}
