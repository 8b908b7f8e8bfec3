package kit

import (
	"context"
	"reflect"
	"time"

	"k8s.io/utils/clock"
)

// turn is a set of channels one of which is closed when something changes. It is made before anything is read.
type turn struct {
	changed []<-chan struct{}
	clock   clock.Clock
}

func (s *Session) turn() turn {
	t := turn{clock: s.Clock}
	for _, view := range s.opened {
		t.changed = append(t.changed, view.Changed())
	}
	return t
}

// sleep waits for a change, the time, or the end of ctx.
func (t turn) sleep(ctx context.Context, most time.Duration) error {
	timer := t.clock.NewTimer(most)
	defer timer.Stop()
	cases := []reflect.SelectCase{
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())},
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(timer.C())},
	}
	for _, changed := range t.changed {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(changed)})
	}
	chosen, _, _ := reflect.Select(cases)
	if chosen > 1 {
		select {
		case <-ctx.Done():
		case <-t.clock.After(settle):
		}
	}
	return ctx.Err()
}
