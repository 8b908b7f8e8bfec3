package kube

import (
	"context"
	"errors"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"sluice.dev/sluice/internal/fault"
)

// fault maps an error of a request to the code that it means, and says what could not be done, to what and where. A
// context that the caller ended stays recognizable through errors.Is.
func (c *Cluster) fault(err error, verb, object string) error {
	if err == nil {
		return nil
	}
	return fault.Wrap(codeOf(err), err, "cannot %s %s in cluster %s", verb, object, c.context)
}

func codeOf(err error) fault.Code {
	if errors.Is(err, context.Canceled) {
		return fault.Internal
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return fault.Unreachable
	}
	if byWebhook(err) {
		return fault.Refused
	}
	switch code := status.Status().Code; {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fault.Unauthorized
	case code == http.StatusNotFound:
		return fault.NotFound
	case code == http.StatusConflict:
		return fault.Conflict
	case code == http.StatusBadRequest, code == http.StatusUnprocessableEntity, code == http.StatusUnsupportedMediaType,
		code == http.StatusRequestEntityTooLarge, code == http.StatusMethodNotAllowed:
		return fault.Invalid
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= http.StatusInternalServerError:
		return fault.Unreachable
	}
	return fault.Internal
}

// byWebhook tells an admission webhook's own no from the API server's: the API server says so in the message only. A
// webhook that could not be called is something else: it may answer later.
func byWebhook(err error) bool {
	text := err.Error()
	return strings.Contains(text, "admission webhook") && strings.Contains(text, "denied the request") ||
		strings.Contains(text, "ValidatingAdmissionPolicy") && strings.Contains(text, "denied request")
}

// blocked reports whether an eviction was refused by a PodDisruptionBudget, which may allow it later.
func blocked(err error) bool {
	return apierrors.IsTooManyRequests(err) &&
		(apierrors.HasStatusCause(err, "DisruptionBudget") || strings.Contains(err.Error(), "disruption budget"))
}

// statusOf returns the API server's own answer in an error, or nil where the error is not from one.
func statusOf(err error) apierrors.APIStatus {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return nil
	}
	return status
}

// read returns a result's body. A Result tells the API server's own words only through Error.
func read(result rest.Result) ([]byte, error) {
	if err := result.Error(); err != nil {
		return nil, err
	}
	return result.Raw()
}
