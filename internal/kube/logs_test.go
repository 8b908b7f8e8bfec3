package kube_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/kubetest"
)

const aLog = "2026-11-28T10:00:00.000000001Z one\n2026-11-28T10:00:01.5Z two\n2026-11-28T10:00:02Z three\n"

func TestLogs(t *testing.T) {
	server := kubetest.New(t)
	server.Put(object(t, "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: default}}"))
	server.PutLog(kubetest.Log{Namespace: "default", Pod: "p", Container: "main"}, aLog)
	server.PutLog(kubetest.Log{Namespace: "default", Pod: "p", Container: "main", Previous: true}, "2026-11-28T09:00:00Z panic: boom\n")
	c := server.Cluster()
	second := time.Date(2026, 11, 28, 10, 0, 1, 999, time.UTC)
	for _, cs := range []struct {
		reason  string
		options kube.LogOptions
		want    string
	}{
		{"all of it, with its times", kube.LogOptions{}, aLog},
		{"since a second", kube.LogOptions{Since: second}, "2026-11-28T10:00:01.5Z two\n2026-11-28T10:00:02Z three\n"},
		{"the last lines", kube.LogOptions{Tail: 1}, "2026-11-28T10:00:02Z three\n"},
		{"the first bytes", kube.LogOptions{Limit: 10}, "2026-11-28"},
		{"of the container before", kube.LogOptions{Previous: true}, "2026-11-28T09:00:00Z panic: boom\n"},
	} {
		t.Run(cs.reason, func(t *testing.T) {
			r, err := c.Logs(t.Context(), "default", "p", "main", cs.options)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil || string(got) != cs.want || r.Close() != nil {
				t.Errorf("%v: %q, want %q", err, got, cs.want)
			}
		})
	}
}

func TestALogThatIsNotThere(t *testing.T) {
	server := kubetest.New(t)
	server.Put(object(t, "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: default}}"))
	c := server.Cluster()
	for _, cs := range []struct {
		reason   string
		pod      string
		previous bool
		status   int
		want     fault.Code
		says     string
	}{
		{"no pod", "gone", false, 0, fault.NotFound, "cannot read the log of main in Pod default/gone in cluster a"},
		{"a container that has not begun", "p", false, 0, fault.NotFound, "waiting to start"},
		{"none before it", "p", true, 0, fault.NotFound, "previous terminated container"},
		{"a node that does not answer", "p", false, http.StatusInternalServerError, fault.Unreachable, "in cluster a"},
		{"logs that we may not read", "p", false, http.StatusForbidden, fault.Unauthorized, "in cluster a"},
		{"a request that is wrong in another way", "p", false, http.StatusBadRequest, fault.Invalid, "in cluster a"},
		{"too many requests", "p", false, http.StatusTooManyRequests, fault.Unreachable, "in cluster a"},
	} {
		t.Run(cs.reason, func(t *testing.T) {
			server.BeforeLog = func(kubetest.Log) int { return cs.status }
			before := c.Requests()
			_, err := c.Logs(t.Context(), "default", cs.pod, "main", kube.LogOptions{Previous: cs.previous})
			code(t, err, cs.want, cs.says)
			if n := c.Requests() - before; n != 1 {
				t.Errorf("it took %d requests", n)
			}
		})
	}
}

func TestAReadOfALogEndsWithItsContext(t *testing.T) {
	server := kubetest.New(t)
	server.Put(object(t, "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: default}}"))
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	server.BeforeLog = func(kubetest.Log) int {
		cancel()
		<-gone
		return http.StatusInternalServerError
	}
	defer close(gone)
	if _, err := server.Cluster().Logs(ctx, "default", "p", "main", kube.LogOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}

// TestLogsOfARealAPIServer holds what is made of its words to a real one, with a node that plays a container that crashes.
func TestLogsOfARealAPIServer(t *testing.T) {
	ctx, c := cluster(t)
	pod := func(name, image, node string) string {
		return fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: default}, spec: {%s containers: [{name: main, image: "registry.local/agent:%s"}]}}`, name, node, image)
	}
	create(t, ctx, c, pod("crashes", "1-crash", ""))
	create(t, ctx, c, pod("runs", "1", ""))
	create(t, ctx, c, pod("nowhere", "1", "nodeSelector: {no: node},"))
	create(t, ctx, c, pod("unpulled", "1-pull-error", ""))
	read := func(name, container string, previous bool) (string, error) {
		r, err := c.Logs(ctx, "default", name, container, kube.LogOptions{Previous: previous})
		if err != nil {
			return "", err
		}
		defer func() { _ = r.Close() }()
		text, err := io.ReadAll(r)
		return string(text), err
	}
	for _, cs := range []struct {
		reason    string
		pod       string
		container string
		previous  bool
		want      string // "" for fault.NotFound, "nothing" for an empty log
	}{
		{"what the container wrote that crashed", "crashes", "main", true, "Z panic: runtime error"},
		{"what one writes that runs", "runs", "main", false, "Z INFO ready"},
		{"none ran before it", "runs", "main", true, ""},
		{"no such container", "runs", "other", false, ""},
		{"no such pod", "gone", "main", false, ""},
		{"a pod on no node", "nowhere", "main", false, "nothing"},
		{"an image that cannot be pulled", "unpulled", "main", false, ""},
	} {
		var got string
		var err error
		for range 200 {
			if got, err = read(cs.pod, cs.container, cs.previous); got == "" && err == nil {
				got = "nothing"
			}
			if cs.want != "" && strings.Contains(got, cs.want) || cs.want == "" && err != nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if cs.want == "" {
			if fault.CodeOf(err) != fault.NotFound {
				t.Errorf("%s: %v", cs.reason, err)
			}
			continue
		}
		if err != nil || !strings.Contains(got, cs.want) {
			t.Errorf("%s: %v: %q", cs.reason, err, got)
		}
	}
}
