// Package remote asks a server what else an engine is asked. It decides nothing: what a server says is what there is.
package remote

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// Options are how a server is reached.
type Options struct {
	URL   string                                // https://HOST[:PORT]
	HTTP  *http.Client                          // default: one of its own
	Token func(context.Context) (string, error) // a bearer token; "" or nil: none
	As    string                                // who asks, as a server that knows no names takes it: it is marked as unverified
	Agent string                                // sluice/VERSION
	Trace string                                // traceparent of W3C that requests are under; "": none
	Clock clock.WithTicker
	Tries int // how often a request is sent that nobody answered; default 4. Each has the same key: it acts once
}

// Client asks one server. It is safe for use by several goroutines.
type Client struct{ options Options }

// maxAnswer bounds what a server answers.
const maxAnswer = 256 << 20

// New returns a client of a server. It is fault.Invalid where the address is none, or would send a token in the clear.
func New(o Options) (*Client, error) {
	at, err := url.Parse(o.URL)
	if err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" || at.RawQuery != "" || at.Fragment != "" || at.User != nil {
		return nil, fault.New(fault.Invalid, "cannot use %q as a server: write https://HOST", o.URL)
	}
	if host := at.Hostname(); at.Scheme == "http" && host != "127.0.0.1" && host != "::1" && host != "localhost" {
		return nil, fault.New(fault.Invalid, "cannot use %s as a server: http is for this machine alone; write https://", o.URL)
	}
	o.URL = strings.TrimRight(o.URL, "/")
	if o.HTTP == nil {
		o.HTTP = &http.Client{}
	}
	own := *o.HTTP
	// A server leads nowhere else; whoever stands before it and does must not be given the token.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	o.HTTP = &own
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Tries <= 0 {
		o.Tries = 4
	}
	return &Client{o}, nil
}

// URL is the address of the server.
func (c *Client) URL() string { return c.options.URL }

// ask sends what an operation wants, and returns what comes back. What changes something has a key, and is sent again under it where
// nobody answered.
func ask[In, Out any](ctx context.Context, c *Client, op wire.Operation[In, Out], in In) (Out, error) {
	out, _, err := askPage(ctx, c, op, in)
	return out, err
}

// askPage is ask, and returns what the headers of the answer say besides.
func askPage[In, Out any](ctx context.Context, c *Client, op wire.Operation[In, Out], in In) (out Out, head http.Header, err error) {
	sent, err := encode(&in)
	if err != nil {
		return out, nil, fault.Wrap(fault.Internal, err, "cannot ask server %s to %s", c.options.URL, op.ID)
	}
	again := !op.Mutates()
	if _, keyed := reflect.TypeFor[In]().FieldByName("Key"); keyed {
		again = true
		if sent.header.Get(wire.KeyHeader) == "" {
			sent.header.Set(wire.KeyHeader, rand.Text())
		}
	}
	for attempt := 1; ; attempt++ {
		head, err = c.try(ctx, op.Method, wire.Prefix+sent.path(op.Path), sent, &out)
		var away *away
		if err == nil || !again || !errors.As(err, &away) || attempt == c.options.Tries || ctx.Err() != nil {
			return out, head, err
		}
		select {
		case <-ctx.Done():
			return out, nil, err
		case <-c.options.Clock.After(time.Duration(attempt*attempt) * 250 * time.Millisecond):
		}
	}
}

// away is why a server did not answer.
type away struct{ error }

// Unwrap returns the cause.
func (a *away) Unwrap() error { return a.error }

func (c *Client) try(ctx context.Context, method, path string, sent request, out any) (http.Header, error) {
	response, err := c.send(ctx, method, path, sent)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, c.away(ctx, err)
	case len(data) > maxAnswer:
		return nil, fault.New(fault.Internal, "cannot read the answer of server %s: it is larger than %d megabytes", c.options.URL, maxAnswer>>20)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot read the answer of server %s", c.options.URL)
	}
	return response.Header, nil
}

// send sends a request, and returns a response that is no refusal.
func (c *Client) send(ctx context.Context, method, path string, sent request) (*http.Response, error) {
	address := c.options.URL + path
	if q := sent.query.Encode(); q != "" {
		address += "?" + q
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(sent.body))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot ask server %s", c.options.URL)
	}
	for name := range sent.header {
		req.Header.Set(name, sent.header.Get(name))
	}
	if sent.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("User-Agent", cmp.Or(c.options.Agent, "sluice"))
	if c.options.Trace != "" {
		req.Header.Set("Traceparent", c.options.Trace)
	}
	if c.options.As != "" {
		req.Header.Set(wire.AsHeader, url.PathEscape(c.options.As))
	}
	if c.options.Token != nil {
		token, err := c.options.Token(ctx)
		if err != nil {
			return nil, err
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
	}
	response, err := c.options.HTTP.Do(req)
	if err != nil {
		return nil, c.away(ctx, err)
	}
	if response.StatusCode/100 == 2 {
		return response, nil
	}
	defer response.Body.Close()
	return nil, c.refusal(response)
}

func (c *Client) away(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err // it has the address, and we say it ourselves
	}
	return &away{fault.Wrap(fault.Unreachable, err, "no server answers at %s", c.options.URL)}
}

// refusal is what a server said instead of an answer.
func (c *Client) refusal(r *http.Response) error {
	var p wire.Problem
	data, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && kind == wire.ProblemType {
		err = json.Unmarshal(data, &p)
	}
	if err != nil || !p.Code.Known() {
		said := fault.New(fault.Unreachable, "what answers at %s is no Sluice server, or it is behind something that has no answer: HTTP %s",
			c.options.URL, r.Status)
		if r.StatusCode == http.StatusBadGateway || r.StatusCode == http.StatusGatewayTimeout || r.StatusCode == http.StatusServiceUnavailable {
			return &away{said}
		}
		return said
	}
	p.Detail = cmp.Or(p.Detail, fmt.Sprintf("server %s says no more than HTTP %s", c.options.URL, r.Status))
	if r.StatusCode == http.StatusTooManyRequests {
		return &away{fault.New(p.Code, "%s", p.Detail)}
	}
	if len(p.Errors) > 0 {
		wrong := make(pipelines.Diagnostics, len(p.Errors))
		for i, m := range p.Errors {
			wrong[i] = pipelines.Diagnostic{Position: pipelines.Position{File: m.File, Line: m.Line, Column: m.Column}, Message: m.Message}
		}
		return fault.Wrap(p.Code, wrong, "server %s refuses the documents", c.options.URL)
	}
	return fault.New(p.Code, "%s", p.Detail)
}

// request is what is sent of an operation.
type request struct {
	params map[string]string // of the path
	query  url.Values
	header http.Header
	body   []byte
}

// path is a path with its params.
func (r request) path(of string) string {
	for name, value := range r.params {
		of = strings.ReplaceAll(of, "{"+name+"}", url.PathEscape(value))
	}
	return of
}

// encode reads where the fields of an operation's input are sent, by their tags.
func encode(in any) (request, error) {
	r := request{params: map[string]string{}, query: url.Values{}, header: http.Header{}}
	return r, r.fields(reflect.ValueOf(in).Elem())
}

func (r *request) fields(v reflect.Value) error {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		if field.Anonymous {
			if err := r.fields(value); err != nil {
				return err
			}
			continue
		}
		var err error
		if field.Name == "Body" {
			r.body, err = json.Marshal(value.Interface())
		} else {
			err = r.field(field.Tag, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *request) field(tag reflect.StructTag, value reflect.Value) error {
	text, err := textOf(value.Interface())
	if err != nil {
		return err
	}
	if name := tag.Get("path"); name != "" {
		r.params[name] = text
	}
	if value.IsZero() {
		return nil
	}
	if name := tag.Get("query"); name != "" {
		r.query.Set(name, text)
	}
	if name := tag.Get("header"); name != "" {
		r.header.Set(name, text)
	}
	return nil
}

func textOf(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case []string:
		return strings.Join(v, ","), nil
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), nil
	case int, bool:
		return fmt.Sprint(v), nil
	}
	return "", fmt.Errorf("cannot send a %T beside a body", value)
}
