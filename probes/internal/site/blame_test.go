package site_test

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"sluice.dev/sluice/probes/internal/site"
	"sluice.dev/sluice/probes/internal/trial"
)

func TestWhoseFailureAnAnswerIs(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	refused := errors.New("dial tcp 10.0.0.1:443: connect: connection refused")
	for _, c := range []struct {
		reason         string
		err            error
		onTheWay       trial.Verdict // of a case that is about something else
		aboutTheServer trial.Verdict
	}{
		{"no error is none", nil, trial.Passed, trial.Passed},
		{"who is not known cannot look", apierrors.NewUnauthorized("no token"), trial.Error, trial.Error},
		{"who may not cannot look", apierrors.NewForbidden(pods, "p", errors.New("no role")), trial.Error, trial.Error},
		{"a quota is such an answer too", apierrors.NewForbidden(pods, "p", errors.New("exceeded quota: probes")), trial.Error, trial.Error},
		{"who asks what is not there asked wrongly", apierrors.NewNotFound(pods, "p"), trial.Error, trial.Error},
		{"who is held back cannot tell", apierrors.NewTooManyRequests("slow down", 1), trial.Inconclusive, trial.Inconclusive},
		{"people would get that too", apierrors.NewInternalError(errors.New("failed calling webhook")), trial.Failed, trial.Failed},
		{"and that", apierrors.NewServiceUnavailable("etcd is away"), trial.Failed, trial.Failed},
		{"one case alone is about whether there is an API server", refused, trial.Error, trial.Failed},
		{"or whether it answers in time", context.DeadlineExceeded, trial.Error, trial.Failed},
		{"it was us who gave up", context.Canceled, trial.Error, trial.Error},
		{"what has a meaning keeps it", trial.Nothing("NodeGone", "gone"), trial.Skipped, trial.Skipped},
	} {
		if v, _ := trial.Judge(site.Blame(c.err, "look")); v != c.onTheWay {
			t.Errorf("%s: on the way to something else it is %s", c.reason, v)
		}
		if v, _ := trial.Judge(site.BlameServer(c.err, "look")); v != c.aboutTheServer {
			t.Errorf("%s: of the server it is %s", c.reason, v)
		}
	}
}
