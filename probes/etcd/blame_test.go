package etcd

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sluice.dev/sluice/probe"
	"sluice.dev/sluice/probes/internal/trial"
)

func TestWhoseFailureAnErrorIs(t *testing.T) {
	for _, c := range []struct {
		reason  string
		err     error
		verdict probe.Verdict
		code    string
	}{
		{"none is none", nil, probe.Passed, ""},
		{"a member that is silent", context.DeadlineExceeded, probe.Failed, "NoAnswer"},
		{"a member that is away", status.Error(codes.Unavailable, "connection refused"), probe.Failed, "NoAnswer"},
		{"a member without a leader", rpctypes.ErrNoLeader, probe.Failed, "Refused"},
		{"a member without room", rpctypes.ErrNoSpace, probe.Failed, "Refused"},
		{"who has no name there has seen nothing", rpctypes.ErrAuthFailed, probe.Error, "Forbidden"},
		{"nor who may not", rpctypes.ErrPermissionDenied, probe.Error, "Forbidden"},
		{"nor who does not know its authority", fmt.Errorf("dial: %w", x509.UnknownAuthorityError{}), probe.Error, "Forbidden"},
		{"nor who gave up", context.Canceled, probe.Error, "Interrupted"},
		{"what is known keeps its meaning", trial.Nothing("Learner", "a learner"), probe.Skipped, "Learner"},
		{"it is about this", errors.New("no such thing"), probe.Failed, "Failed"},
	} {
		if v, code := trial.Judge(blame(c.err, "look")); v != c.verdict || code != c.code {
			t.Errorf("%s: it is %s %s", c.reason, v, code)
		}
	}
}
