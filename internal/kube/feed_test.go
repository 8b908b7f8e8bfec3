package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

func TestASilentWatchIsMadeAnew(t *testing.T) {
	const added = `{"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x","namespace":"default","uid":"u","resourceVersion":"4"}}}`
	const bookmark = `{"type":"BOOKMARK","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"5","annotations":{"k8s.io/initial-events-end":"true"}}}}`
	cases := map[string]struct {
		reason string
		says   string
		every  time.Duration // how often the last of it is said again
		ends   time.Duration // 0 for never
	}{
		"nothing at all":                 {"a state is streamed at once", "", 0, 30 * time.Second},
		"a state without its end":        {"the bookmark after it never comes", added, 0, 30 * time.Second},
		"a state that takes long":        {"something comes", added, 20 * time.Second, 0},
		"a whole state and nothing more": {"bookmarks come every minute", added + bookmark, 0, 5 * time.Minute},
		"a quiet namespace":              {"bookmarks come every minute", added + bookmark, time.Minute, 0},
		"a bookmark that fell out":       {"a full buffer drops one", added + bookmark, 2 * time.Minute, 0},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &feed{
					cluster: &Cluster{clock: clock.RealClock{}}, entries: map[types.NamespacedName]entry{}, changed: make(chan struct{}),
					decode: func(*unstructured.Unstructured, any) any { return nil },
				}
				body, says := io.Pipe()
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				context.AfterFunc(ctx, func() { says.Close() })
				defer body.Close()
				go func() {
					fmt.Fprint(says, test.says)
					for test.every > 0 && ctx.Err() == nil {
						fmt.Fprint(says, test.says)
						select {
						case <-ctx.Done():
						case <-time.After(test.every):
						}
					}
				}()
				start := time.Now()
				err := f.read(body, map[types.NamespacedName]entry{}, cancel)
				took := time.Since(start)
				if test.ends == 0 && (err != nil || took < time.Hour) {
					t.Errorf("it ended after %s with %v: %s", took, err, test.reason)
				}
				if test.ends != 0 && (took != test.ends || !errors.Is(err, errSilent)) {
					t.Errorf("it ended after %s with %v, want after %s: %s", took, err, test.ends, test.reason)
				}
			})
		})
	}
}
