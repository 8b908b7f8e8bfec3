package kube

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/internal/fault"
)

// maxServiceAnswer is how many bytes of a service's answer are read.
const maxServiceAnswer = 1 << 20

// ServicePort is a port of a Service, and a path there.
type ServicePort struct {
	Namespace, Name string
	Port            string // its number or name
	Path            string // with its query; "" is /
	TLS             bool
}

// PostToService sends JSON to a service through the API server, which goes on to one of its endpoints and does not verify that one's
// certificate, and returns the answer. Where the API server reaches no endpoint, or that answers with another status than 200 to 299
// or with more than 1 MiB, it is fault.Refused; fault.Unreachable is about the API server itself, or a status from 500 on that may be
// its own.
func (c *Cluster) PostToService(ctx context.Context, to ServicePort, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	what := label("Service", to.Namespace, to.Name)
	name := to.Name + ":" + to.Port
	if to.TLS {
		name = "https:" + name
	}
	at, err := url.Parse("/" + strings.TrimPrefix(to.Path, "/"))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot ask %s in cluster %s", what, c.context)
	}
	services := schema.GroupVersionResource{Version: "v1", Resource: "services"}
	request := c.client.Post().AbsPath(resourcePath(services, to.Namespace, name) + "/proxy" + at.Path)
	for key, values := range at.Query() {
		for _, value := range values {
			request = request.Param(key, value)
		}
	}
	stream, err := request.MaxRetries(0).Body(body).SetHeader("Content-Type", "application/json").Stream(ctx)
	if err != nil {
		if byService(err) {
			return nil, fault.Wrap(fault.Refused, err, "cannot ask %s in cluster %s", what, c.context)
		}
		return nil, c.fault(err, "ask", what)
	}
	defer func() { _ = stream.Close() }()
	answer, err := io.ReadAll(io.LimitReader(stream, maxServiceAnswer+1))
	switch {
	case err != nil:
		return nil, c.fault(err, "ask", what)
	case len(answer) > maxServiceAnswer:
		return nil, fault.New(fault.Refused, "cannot ask %s in cluster %s: the answer has more than %d bytes", what, c.context, maxServiceAnswer)
	}
	return answer, nil
}

// byService tells what is wrong with a service from what is wrong with the API server: that says in words that it found no endpoint or
// reached none. Any other status but those by which the API server keeps us out is taken for the service's.
func byService(err error) bool {
	status := statusOf(err)
	if status == nil || apierrors.IsUnauthorized(err) || apierrors.IsForbidden(err) || apierrors.IsTooManyRequests(err) {
		return false
	}
	if status.Status().Code < http.StatusInternalServerError {
		return true
	}
	text := err.Error()
	return slices.ContainsFunc(noEndpoint, func(words string) bool { return strings.Contains(text, words) })
}

// noEndpoint are the words with which the API server says that a service was not reached.
var noEndpoint = []string{"no endpoints available for service", "error trying to reach service", "no service port"}
