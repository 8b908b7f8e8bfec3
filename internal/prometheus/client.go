// Package prometheus asks servers that speak Prometheus' HTTP API: one question, one answer, within bounds. It does not ask again,
// judges nothing, and never says a secret. What reads the answers is client code of two dozen fields, and an own reader of them can
// bound what a server sends; the official client takes whatever comes.
package prometheus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sluice.dev/sluice/internal/fault"
)

// Bounds of an answer. What exceeds them is an error, never a part of the truth.
const (
	MaxBytes  = 10_000_000 // decompressed
	MaxSeries = 10_000
)

// How a server is treated.
const (
	connections  = 16 // at once to a server, which runs 20 queries at once by default; further ones wait
	headerBytes  = 64 << 10
	redirects    = 3
	idleWithin   = 90 * time.Second
	tenantHeader = "X-Scope-OrgID" // as Mimir, Cortex, Loki and Thanos read it
)

// Login is who asks: a bearer token, or a user and password. The zero value is nobody.
type Login struct {
	Token          string
	User, Password string
}

// Options are what may be said of a server beside its address. The zero value is a server that anybody may ask.
type Options struct {
	Tenant string                // sent as X-Scope-OrgID; "" sends none
	Login  func() (Login, error) // read for each question, so that a secret can be changed; nil is nobody
	Roots  *x509.CertPool        // who may have signed the server's certificate; nil is who the system trusts
	// Allowed is asked of each IP:PORT before it is connected to, whatever name led there, and may refuse it; nil allows all. Behind a
	// proxy it is asked of the proxy's: what that connects to is the proxy's matter.
	Allowed func(address string) error
}

// Client asks one server. It is safe for concurrent use.
type Client struct {
	base    *url.URL
	options Options
	http    *http.Client
}

// New returns a client of a server: http://host:9090, or with the path below which the API is, https://host/prometheus. An address
// that is none, or has a user in it, is fault.Invalid.
func New(address string, o Options) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(address, "/"))
	switch {
	case err != nil:
		return nil, fault.New(fault.Invalid, "cannot read address of Prometheus: it is no URL")
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return nil, fault.New(fault.Invalid, "cannot read address of Prometheus: it must begin with http:// or https:// and a host")
	case base.User != nil:
		return nil, fault.New(fault.Invalid, "cannot read address of Prometheus: it has a user in it, which belongs into a secret")
	case base.RawQuery != "" || base.Fragment != "":
		return nil, fault.New(fault.Invalid, "cannot read address of Prometheus: it ends with its path, without ? and #")
	}
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
		MaxConnsPerHost:        connections,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        idleWithin,
		MaxResponseHeaderBytes: headerBytes,
		ForceAttemptHTTP2:      true,
		DialContext:            o.dialer().DialContext,
	}
	return &Client{base: base, options: o, http: &http.Client{Transport: transport, CheckRedirect: follow}}, nil
}

// dialer connects to what is allowed.
func (o Options) dialer() *net.Dialer {
	if o.Allowed == nil {
		return &net.Dialer{}
	}
	return &net.Dialer{Control: func(_, resolved string, _ syscall.RawConn) error { return o.Allowed(resolved) }}
}

// Close lets go of idle connections. The client can still be used.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Query evaluates PromQL at an instant; the zero time is the server's own now. It ends with the context.
//
// Errors are fault.Invalid for a question that the server does not understand or whose answer is too large, fault.Unauthorized,
// fault.NotFound where there is no such API, and else fault.Unreachable. The cause of a context that ended is wrapped.
func (c *Client) Query(ctx context.Context, promql string, at time.Time) (Answer, error) {
	form := url.Values{"query": {promql}}
	if !at.IsZero() {
		form.Set("time", seconds(at))
	}
	return c.ask(ctx, "/api/v1/query", form)
}

// QueryRange evaluates PromQL from start to end, once a step. Errors are those of Query.
func (c *Client) QueryRange(ctx context.Context, promql string, start, end time.Time, step time.Duration) (Answer, error) {
	return c.ask(ctx, "/api/v1/query_range", url.Values{
		"query": {promql}, "start": {seconds(start)}, "end": {seconds(end)},
		"step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)},
	})
}

func seconds(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64)
}

// ask sends a form, since a query can be longer than servers take in a URL.
func (c *Client) ask(ctx context.Context, path string, form url.Values) (Answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.String()+path, strings.NewReader(form.Encode()))
	if err != nil {
		return Answer{}, fault.Wrap(fault.Internal, err, "cannot ask %s", c.base)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "sluice")
	login, err := c.identify(request)
	if err != nil {
		return Answer{}, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return Answer{}, c.failed(ctx, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxBytes+1))
	if err != nil {
		return Answer{}, c.failed(ctx, err)
	}
	if len(body) > MaxBytes {
		return Answer{}, fault.New(fault.Invalid, "cannot read answer of %s: it has more than %d megabytes; ask for fewer series",
			c.base, MaxBytes/1_000_000)
	}
	answer, err := read(response.StatusCode, response.Header.Get("Content-Type"), body, login)
	return answer, fault.Wrap(fault.CodeOf(err), err, "cannot ask %s", c.base)
}

// identify says who asks, and for which tenant.
func (c *Client) identify(r *http.Request) (Login, error) {
	if c.options.Tenant != "" {
		r.Header.Set(tenantHeader, c.options.Tenant)
	}
	if c.options.Login == nil {
		return Login{}, nil
	}
	login, err := c.options.Login()
	if err != nil {
		return Login{}, fault.Wrap(fault.Unauthorized, err, "cannot ask %s", c.base)
	}
	switch {
	case login.Token != "":
		r.Header.Set("Authorization", "Bearer "+login.Token)
	case login.User != "":
		r.SetBasicAuth(login.User, login.Password)
	}
	return login, nil
}

// failed is why there is no answer, without the URL that package net/http puts before it.
func (c *Client) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fault.Wrap(fault.Unreachable, context.Cause(ctx), "cannot ask %s: no whole answer in time", c.base)
	}
	var said *url.Error
	if errors.As(err, &said) {
		err = said.Err
	}
	return fault.Wrap(fault.Unreachable, err, "cannot ask %s", c.base)
}

// follow lets a server send a question on within itself only: the next host is not the one that the secret is for.
func follow(next *http.Request, before []*http.Request) error {
	first := before[0]
	switch {
	case next.URL.Host != first.URL.Host || next.URL.Scheme != first.URL.Scheme:
		return fmt.Errorf("it sends the question on to %s://%s, which nobody named", next.URL.Scheme, next.URL.Host)
	case next.Method != first.Method:
		return fmt.Errorf("it sends the question on to %s, where it would arrive without its text", next.URL.Path)
	case len(before) > redirects:
		return fmt.Errorf("it sends the question on more than %d times", redirects)
	}
	return nil
}
