package site

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"sluice.dev/sluice/probes/internal/trial"
)

// Blame says what it means that the API server did not do what a case asks on its way to something else. That it cannot be reached,
// does not know the case's account or takes no more of it is not what the case looks for. That it answers with a failure of its own is:
// people would get the same.
func Blame(err error, doing string) error {
	if err == nil || trial.Meant(err) {
		return err
	}
	wrap := func(kind func(string, string, ...any) error, code string) error {
		return kind(code, "cannot %s: %w", doing, err)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return wrap(trial.Blind, "Interrupted")
	case apierrors.IsUnauthorized(err):
		return wrap(trial.Blind, "Unauthorized")
	case apierrors.IsForbidden(err):
		return wrap(trial.Blind, "Forbidden")
	case apierrors.IsTooManyRequests(err):
		return wrap(trial.Unsure, "TooManyRequests")
	case apierrors.IsInternalError(err), apierrors.IsServiceUnavailable(err), apierrors.IsServerTimeout(err), apierrors.IsTimeout(err),
		apierrors.IsUnexpectedServerError(err):
		return wrap(trial.Fault, "APIServerFailed")
	case answered(err):
		return wrap(trial.Blind, "Refused")
	default:
		return wrap(trial.Blind, "APIServerUnreachable")
	}
}

// answered reports whether an API server said so.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status)
}

// BlameServer is Blame where the API server is what a case is about: not to reach it is what it looks for.
func BlameServer(err error, doing string) error {
	if err == nil || trial.Meant(err) || answered(err) || errors.Is(err, context.Canceled) {
		return Blame(err, doing)
	}
	return trial.Fault("APIServerUnreachable", "cannot %s: %w", doing, err)
}
