package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	patience  = 30 * time.Second // in which a report is delivered where the run has no deadline
	eachTry   = 5 * time.Second
	firstWait = 100 * time.Millisecond
	longWait  = 2 * time.Second
	maxEnd    = 4096 // bytes of a termination message
)

// refused is an answer that would be the same again.
type refused struct {
	code int // 0: it was not sent
	why  string
}

func (r *refused) Error() string {
	return fmt.Sprintf("the report was refused (%d): %s", r.code, r.why)
}

// client goes straight to the server: proxies are for what a check looks at.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute}}

// deliver reports until somebody has it, or the deadline is there. Where nobody takes it, or nobody was named, what was found is left behind.
func (e environment) deliver(r Report) error {
	if e.url == "" {
		return e.leave(r)
	}
	end := e.deadline
	if end.IsZero() {
		end = time.Now().Add(patience)
	}
	ctx, cancel := context.WithDeadline(context.Background(), end)
	defer cancel()
	body, err := r.encode(maxReport)
	if err != nil {
		return err
	}
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		err := e.post(ctx, body)
		var no *refused
		switch refused := errors.As(err, &no); {
		case err == nil:
			return nil
		case refused && no.code == http.StatusBadRequest && wait > firstWait:
			return nil // as good the first time: it came, and its answer did not
		}
		if !errors.As(err, &no) {
			select {
			case <-time.After(wait):
				continue
			case <-ctx.Done():
			}
		}
		return errors.Join(fmt.Errorf("cannot report to %s: %w", e.url, err), e.leave(r))
	}
}

// post sends a report once, with a body of its own.
func (e environment) post(ctx context.Context, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, eachTry)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return &refused{0, err.Error()}
	}
	req.Header.Set("Content-Type", "application/json")
	if e.run != "" {
		req.Header.Set("kh-run-uuid", e.run)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	why, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return nil
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		return fmt.Errorf("it answers %s: %s", resp.Status, clip(string(why), maxText))
	default:
		return &refused{code, clip(string(why), maxText)}
	}
}

// leave writes a report as the last words of the container. Outside of one they are printed.
func (e environment) leave(r Report) error {
	body, err := r.encode(maxEnd)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(e.termination, os.O_WRONLY|os.O_TRUNC, 0)
	if errors.Is(err, os.ErrNotExist) {
		_, err = fmt.Printf("%s\n", body)
		return err
	} else if err != nil {
		return fmt.Errorf("cannot leave a termination message: %w", err)
	}
	if _, err := f.Write(body); err != nil {
		_ = f.Close()
		return fmt.Errorf("cannot leave a termination message: %w", err)
	}
	return f.Close()
}
