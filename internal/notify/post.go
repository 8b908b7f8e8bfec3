package notify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sluice.dev/sluice/pipelines"
)

// posted is a request to a receiver.
type posted struct {
	address string
	body    []byte
	kind    string // of the body; default JSON
	key     string
	token   *pipelines.WorkerSecret
	basic   *pipelines.BasicAuth
}

const (
	maxAnswer = 4 << 10       // that is read of an answer
	maxAfter  = 6 * time.Hour // that a receiver may want to be left alone
)

// poster keeps few connections and follows nobody elsewhere: a secret goes where a document says.
var poster = &http.Client{
	Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
		ForceAttemptHTTP2: true,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func post(ctx context.Context, read *reader, p posted) Answer {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.address, bytes.NewReader(p.body))
	if read.err == nil && (err != nil || request.URL.Host == "") {
		return Answer{Never: true, Says: "cannot read its address: it is no URL"} // which may be the secret
	}
	var token, password string
	if p.token != nil {
		token = read.secret(*p.token)
	}
	if p.basic != nil {
		password = read.secret(p.basic.Password)
	}
	if read.err != nil {
		return Answer{Says: read.err.Error()} // it may be put there
	}
	request.Header.Set("Content-Type", cmp.Or(p.kind, "application/json"))
	request.Header.Set("User-Agent", "sluice")
	request.Header.Set("Idempotency-Key", p.key)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if p.basic != nil {
		request.SetBasicAuth(p.basic.User, password)
	}
	response, err := poster.Do(request)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err // without the address
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return Answer{Says: "it did not answer in time"}
		}
		return Answer{Says: err.Error()}
	}
	defer func() { _ = response.Body.Close() }()
	said, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer)) // what it says is for people; its status counts
	return judged(response, string(said))
}

// judged is what an answer means. What is wrong with the request is so the next time; what is wrong with the receiver may end.
func judged(r *http.Response, said string) Answer {
	a := Answer{Says: fmt.Sprintf("%s: %s", r.Status, said)}
	if said == "" {
		a.Says = r.Status
	}
	switch code := r.StatusCode; {
	case code < 300:
		a.Took = true
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		a.After = after(r)
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code >= 500:
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusNotFound: // somebody may mend it
	default:
		a.Never = true
	}
	return a
}

// after is how long the receiver wants to be left alone.
func after(r *http.Response) time.Duration {
	text := r.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return min(time.Duration(min(seconds, int(maxAfter/time.Second)))*time.Second, maxAfter)
	}
	at, err := http.ParseTime(text)
	sent, sentErr := http.ParseTime(r.Header.Get("Date")) // by the receiver's own clock
	if err != nil || sentErr != nil {
		return 0
	}
	return min(max(at.Sub(sent), 0), maxAfter)
}
