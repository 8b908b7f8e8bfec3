package kube

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/fault"
)

// LogOptions say what part of a container's log is wanted. The zero LogOptions are all of the log of the container that runs.
type LogOptions struct {
	Previous bool      // of the container before the last restart, where the node still has it
	Since    time.Time // lines from this time on; the API server takes whole seconds, and the node's own clock
	Tail     int64     // so many of the last lines; 0 is all
	Limit    int64     // so many bytes, from the beginning; 0 is all
}

func (o LogOptions) params() map[string]string {
	params := map[string]string{"timestamps": "true"}
	if o.Previous {
		params["previous"] = "true"
	}
	if !o.Since.IsZero() {
		params["sinceTime"] = o.Since.UTC().Format(time.RFC3339)
	}
	if o.Tail > 0 {
		params["tailLines"] = strconv.FormatInt(o.Tail, 10)
	}
	if o.Limit > 0 {
		params["limitBytes"] = strconv.FormatInt(o.Limit, 10)
	}
	return params
}

// Logs reads the log of a container, each line behind its time in RFC 3339 with nanoseconds. It does not follow the log: the
// reader ends where the log ends now, after 15 seconds, or with the context. Where there is no such pod or container, no
// container before it, or none that has begun, it is fault.NotFound; a pod on no node has an empty log. A node that does not
// answer is fault.Unreachable, and so is what goes wrong while it is read. The reader is to be closed.
func (c *Cluster) Logs(ctx context.Context, namespace, pod, container string, o LogOptions) (io.ReadCloser, error) {
	what := "the log of " + container + " in " + label("Pod", namespace, pod)
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	pods := schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	request := c.client.Get().AbsPath(resourcePath(pods, namespace, pod)+"/log").MaxRetries(0).Param("container", container)
	for key, value := range o.params() {
		request = request.Param(key, value)
	}
	body, err := request.Stream(ctx)
	if err != nil {
		cancel()
		if logless(err) {
			return nil, fault.Wrap(fault.NotFound, err, "cannot read %s in cluster %s", what, c.context)
		}
		return nil, c.fault(err, "read", what)
	}
	return &logBody{body: body, cancel: cancel, fault: func(err error) error { return c.fault(err, "read", what) }}, nil
}

// logless tells a container that has no log from a wrong request: the API server answers both with the same status.
func logless(err error) bool {
	status := statusOf(err)
	if status == nil || status.Status().Code != http.StatusBadRequest {
		return false
	}
	text := err.Error()
	return slices.ContainsFunc(withoutLog, func(words string) bool { return strings.Contains(text, words) })
}

// withoutLog are the words with which a pod or node says that a container has no log.
var withoutLog = []string{"waiting to start", "previous terminated container", "is not valid for pod"}

// logBody ends its request when it is closed.
type logBody struct {
	body   io.ReadCloser
	cancel context.CancelFunc
	fault  func(error) error
}

// Read reads on; the end of the log is io.EOF.
func (b *logBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err != nil && err != io.EOF {
		err = b.fault(err)
	}
	return n, err
}

// Close ends the request.
func (b *logBody) Close() error {
	b.cancel()
	return b.body.Close()
}
