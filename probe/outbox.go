package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

const (
	kept    = 64              // reports that wait for a server that is away
	partsIn = 2 * time.Second // for the last ones, when the program ends
)

// outbox sends the reports of a resident in their order, and keeps no round waiting.
type outbox struct {
	e    environment
	stop context.CancelFunc
	done chan struct{}
	more chan struct{}

	mu      sync.Mutex
	reports []Report
	dropped int64
}

func newOutbox(e environment) *outbox {
	ctx, cancel := context.WithCancel(context.Background())
	o := &outbox{e: e, stop: cancel, done: make(chan struct{}), more: make(chan struct{}, 1)}
	go o.send(ctx)
	return o
}

// put has a report sent. The oldest ones go where there are too many.
func (o *outbox) put(r Report) {
	o.mu.Lock()
	if n := len(o.reports) + 1 - kept; n > 0 {
		o.reports = o.reports[n:]
		o.dropped += int64(n)
	}
	if o.dropped > 0 {
		r.add("reports.dropped", float64(o.dropped))
	}
	o.reports = append(o.reports, r)
	o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
}

// next is the oldest report that was not sent.
func (o *outbox) next() (Report, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.reports) == 0 {
		return Report{}, false
	}
	return o.reports[0], true
}

// sent takes a report out, unless it went already.
func (o *outbox) sent(r Report) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.reports) > 0 && o.reports[0].More.Seq == r.More.Seq {
		o.reports = o.reports[1:]
	}
}

func (o *outbox) send(ctx context.Context) {
	defer close(o.done)
	wait, said := firstWait, ""
	for {
		r, any := o.next()
		if !any {
			select {
			case <-o.more:
				continue
			case <-ctx.Done():
				return
			}
		}
		err := o.one(ctx, r)
		var no *refused
		if err == nil || errors.As(err, &no) {
			if no != nil && no.Error() != said {
				said = no.Error()
				fmt.Fprintln(os.Stderr, said)
			}
			o.sent(r)
			wait = firstWait
			continue
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, longWait)
		case <-ctx.Done():
			return
		}
	}
}

func (o *outbox) one(ctx context.Context, r Report) error {
	body, err := r.encode(maxReport)
	if err != nil {
		return &refused{0, err.Error()}
	}
	if o.e.url == "" {
		_, err := fmt.Printf("%s\n", body)
		return err
	}
	return o.e.post(ctx, body)
}

// close waits a moment for what has not been sent.
func (o *outbox) close() {
	end := time.Now().Add(partsIn)
	for _, any := o.next(); any && time.Now().Before(end); _, any = o.next() {
		time.Sleep(10 * time.Millisecond)
	}
	o.stop()
	<-o.done
}
