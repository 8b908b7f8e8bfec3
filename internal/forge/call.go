package forge

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/logscan"
)

// Bounds on what a forge answers.
const (
	answeredIn = 10 * time.Second
	maxAnswer  = 64 << 20 // bytes: a page of requests with the longest texts; one of them at a time is kept
	maxRefusal = 4 << 10  // that is read of an answer that refuses
	maxSaid    = 300      // that is told of it
	perPage    = 50
)

// web keeps few connections and follows nobody elsewhere: a token goes where the place says.
var web = &http.Client{
	Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
		ForceAttemptHTTP2: true, TLSHandshakeTimeout: answeredIn,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// caller asks a forge.
type caller struct {
	at     Place
	token  Token
	within time.Duration
}

// asked is one request to a forge.
type asked struct {
	what   string // is asked: "list open requests", for whoever reads what went wrong
	method string // default GET
	api    string // where its API begins; default that of the place
	path   string // below the API, with its parts escaped
	query  url.Values
	body   any // JSON; nil for none
}

// answered is that a forge refused.
type answered struct {
	status int
	says   string
}

// Error returns the status, and what was said with it.
func (a *answered) Error() string {
	text := fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))
	if a.says == "" {
		return text
	}
	return text + ": " + a.says
}

// do asks once. What is answered is given to read, unless that is nil.
func (c *caller) do(ctx context.Context, a asked, read func(http.Header, io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.within)
	defer cancel()
	token, err := c.token(ctx)
	if err == nil && (token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })) {
		err = fault.New(fault.Unauthorized, "it is empty, or has characters that none has")
	}
	if err != nil {
		return fault.Wrap(fault.CodeOf(err), err, "cannot %s of %s at %s: cannot get the token", a.what, c.at.Repository, c.at.Kind)
	}
	err = c.send(ctx, a, token, read)
	if err == nil {
		return nil
	}
	var l *Later
	errors.As(err, &l)
	return fault.Wrap(c.code(err, l), err, "cannot %s of %s at %s", a.what, c.at.Repository, c.at.Kind)
}

func (c *caller) send(ctx context.Context, a asked, token string, read func(http.Header, io.Reader) error) error {
	request, err := c.request(ctx, a, token)
	if err != nil {
		return err
	}
	response, err := web.Do(request)
	if err != nil {
		return unanswered(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= http.StatusMultipleChoices {
		said, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal)) // for people; the status counts
		refusal := &answered{status: response.StatusCode, says: hide(message(said), token)}
		if wait := later(response.StatusCode, response.Header, string(said)); wait > 0 {
			return &Later{After: wait, said: refusal}
		}
		return refusal
	}
	if read == nil {
		return nil
	}
	body := &bounded{from: response.Body, left: maxAnswer}
	err = read(response.Header, body)
	switch {
	case body.left < 0:
		return fault.New(fault.Refused, "its answer is larger than %d bytes", maxAnswer)
	case err == nil || fault.CodeOf(err) != fault.Internal:
		return err
	case ctx.Err() != nil:
		return unanswered(ctx, err)
	}
	return fault.New(fault.Unreachable, "its answer is not what it documents: %s", hide(err.Error(), token))
}

func (c *caller) request(ctx context.Context, a asked, token string) (*http.Request, error) {
	address := cmp.Or(a.api, c.at.API) + a.path
	if len(a.query) > 0 {
		address += "?" + a.query.Encode()
	}
	var body io.Reader
	if a.body != nil {
		text, err := json.Marshal(a.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	method := a.method
	if method == "" {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fault.New(fault.Invalid, "cannot make its address")
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("User-Agent", "sluice")
	request.Header.Set("Accept", "application/json")
	if c.at.Kind == GitHub {
		request.Header.Set("Accept", "application/vnd.github+json")
		request.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// code is that of a request which did not succeed.
func (c *caller) code(err error, l *Later) fault.Code {
	if l != nil {
		return fault.Unreachable
	}
	status := statusOf(err)
	switch {
	case status == 0:
		return fault.CodeOf(err)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fault.Unauthorized
	case status == http.StatusNotFound, status == http.StatusGone:
		return fault.NotFound
	case status == http.StatusConflict:
		return fault.Conflict
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity:
		return fault.Invalid
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status >= http.StatusInternalServerError:
		return fault.Unreachable
	}
	return fault.Refused // among them redirects: it has moved
}

// unanswered is why nothing came back, without the address.
func unanswered(ctx context.Context, err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return fault.Wrap(fault.Unreachable, context.Canceled, "nobody waits for it any more")
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return fault.New(fault.Unreachable, "it did not answer in time")
	}
	return fault.Wrap(fault.Unreachable, err, "it did not answer")
}

// message is what a refusal says, in whatever shape that stands.
func message(body []byte) string {
	var said struct {
		Message json.RawMessage `json:"message"`
		Error   json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil {
		return string(body)
	}
	for _, one := range []json.RawMessage{said.Message, said.Error} {
		var text string
		switch {
		case len(one) == 0:
		case json.Unmarshal(one, &text) == nil:
			return text
		default:
			return string(one)
		}
	}
	return string(body)
}

// hide is what a forge says, short and without the token.
func hide(text, token string) string {
	text = logscan.Mask(strings.ReplaceAll(text, token, "***"))
	return clip.Bytes(strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " "), maxSaid)
}

// bounded reads so much, and fails where there is more.
type bounded struct {
	from io.Reader
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.from.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// one reads an answer that is one object.
func one[T any](ctx context.Context, c *caller, a asked) (T, error) {
	var out T
	err := c.do(ctx, a, func(_ http.Header, r io.Reader) error { return json.NewDecoder(r).Decode(&out) })
	return out, err
}

// list reads all pages of an answer, of which at most so many elements: more are fault.Refused. Texts of others may be long, so that one
// element at a time is read.
func list[T any](ctx context.Context, c *caller, a asked, most int) ([]T, error) {
	var all []T
	query := url.Values{}
	for name, values := range a.query {
		query[name] = values
	}
	query.Set("per_page", strconv.Itoa(perPage))
	a.query = query
	for page := 1; page > 0; {
		query.Set("page", strconv.Itoa(page))
		more := false
		err := c.do(ctx, a, func(head http.Header, r io.Reader) error {
			more = next(head)
			return elements(r, func(d *json.Decoder) error {
				var element T
				if err := d.Decode(&element); err != nil {
					return err
				}
				if all = append(all, element); len(all) > most {
					return fault.New(fault.Refused, "there are more than %d", most)
				}
				return nil
			})
		})
		if err != nil {
			return nil, err
		}
		if page++; !more {
			page = 0
		}
		if page > most/perPage+2 {
			return nil, fault.New(fault.Refused, "cannot %s of %s at %s: its pages do not end", a.what, c.at.Repository, c.at.Kind)
		}
	}
	return all, nil
}

func elements(r io.Reader, each func(*json.Decoder) error) error {
	d := json.NewDecoder(r)
	begin, err := d.Token()
	if err != nil {
		return err
	}
	if begin != json.Delim('[') {
		return errors.New("it is no list")
	}
	for d.More() {
		if err := each(d); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// next reports whether a further page is linked to.
func next(head http.Header) bool {
	for _, link := range head.Values("Link") {
		if strings.Contains(link, `rel="next"`) {
			return true
		}
	}
	return false
}

// escaped is a name as one part of a path.
func escaped(name string) string { return url.PathEscape(name) }
