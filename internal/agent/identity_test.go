package agent

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	clocktesting "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/credential"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/uplink"
)

// issuing is a server that renews.
type issuing struct {
	grpc.ClientConnInterface
	authority *credential.Authority
	now       func() time.Time
}

func (s issuing) in(request []byte) uplink.Enrolled {
	certificate, _, err := s.authority.Agent("eu", request, s.now())
	if err != nil {
		panic(err)
	}
	return uplink.Enrolled{Agent: "eu", Site: "eu", Certificate: certificate, Authority: s.authority.Certificate()}
}

func (s issuing) Invoke(_ context.Context, _ string, args, reply any, _ ...grpc.CallOption) error {
	*reply.(*uplink.Enrolled) = s.in(args.(uplink.RenewRequest).Request)
	return nil
}

// A certificate that could not be written is written later, and one that is over ends the agent, as nobody else would tell it.
func TestACertificateIsKeptAndEnds(t *testing.T) {
	authority := filepath.Join(t.TempDir(), "authority")
	if err := credential.NewAuthority(authority, time.Now()); err != nil {
		t.Fatal(err)
	}
	signs, err := credential.ReadAuthority(authority)
	if err != nil {
		t.Fatal(err)
	}
	clock := clocktesting.NewFakeClock(time.Now())
	server := issuing{authority: signs, now: clock.Now}
	dir := filepath.Join(t.TempDir(), "state")
	k := &keeper{file: filepath.Join(dir, identityFile)}
	if err := k.renew(t.Context(), server); err != nil {
		t.Fatal(err)
	}
	a := &agent{Options: &Options{Clock: clock, Logger: slog.New(slog.DiscardHandler)}, who: k, server: server}
	clock.Step(credential.CertificateLives/2 + time.Hour)
	if err := a.renew(t.Context()); err != nil || k.to.Before(clock.Now().Add(credential.CertificateLives-time.Minute)) {
		t.Errorf("it is renewed though it cannot be kept: until %s (%v)", k.to, err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := a.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	var own identity
	if there, err := readJSON(k.file, &own); err != nil || !there || string(own.Certificate) != string(k.own.Certificate) {
		t.Errorf("as soon as there is room it is kept: %v, %v", there, err)
	}
	down := fault.New(fault.Unreachable, "the link is down")
	if err := a.final(down); err != nil {
		t.Errorf("a link that is down ends nothing: %v", err)
	}
	clock.Step(credential.CertificateLives + time.Hour)
	if err := a.final(down); fault.CodeOf(err) != fault.Unauthorized {
		t.Errorf("a server that refuses what is over is as one that is out of reach: %v", err)
	}
}
