package e2e_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/authn/issuertest"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/postgres/postgrestest"
	"sluice.dev/sluice/internal/remote"
	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/pipelines"
)

// TestTwoPeopleRollOutByServers has two servers on one PostgreSQL, a worker, and people with tokens of a real issuer: who starts a run
// cannot approve it, who has no right cannot either, another can; and any of the servers may go.
func TestTwoPeopleRollOutByServers(t *testing.T) {
	turns.Take(t)
	s := newSiteOf(t, stack(t), "served", postgrestest.Start(t).Database(t))
	s.declare("asked", "  defaults: {batches: [100%], maxUnavailable: 100%}\n"+
		"  stages: [{name: all, clusterGroups: {all: true}, approvals: 1}]\n")
	s.work()
	s.install()
	people := issuertest.New(t, time.Now)
	one, two := s.serve(t, people), s.serve(t, people)
	as := func(at *answering, who string) *remote.Engine { return at.as(t, people, who) }

	ann, bob, eve := as(one, "ann@example.org"), as(two, "bob@example.org"), as(one, "eve@example.org")
	who, err := ann.Whoami(t.Context())
	if err != nil || who.Name != "people:ann@example.org" || !who.Verified {
		t.Errorf("ann is %+v: %v", who, err)
	}
	request := engine.PlanRequest{
		Files: engine.Files{Paths: []string{s.files}}, Component: s.component, Version: "2.0.0", Pipeline: "asked",
	}
	if _, err := eve.Plan(t.Context(), request); fault.CodeOf(err) != fault.Refused {
		t.Errorf("eve has no right, and plans: %v", err)
	}
	if _, err := bob.Plan(t.Context(), request); fault.CodeOf(err) != fault.Refused {
		t.Errorf("bob approves, and plans: %v", err)
	}
	planned, err := ann.Plan(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	run, err := ann.Run(t.Context(), engine.RunRequest{Plan: planned.Hash, Reason: "two people"})
	if err != nil {
		t.Fatal(err)
	}
	s.until(run.Name, "waiting for approval", time.Minute, func(r api.RunStatus) bool { return r.Phase == api.PhaseWaiting })

	approve := func(e *remote.Engine) error {
		_, err := e.Command(t.Context(), run.Name, api.UpdateApprove, api.Command{Plan: planned.Hash, Reason: "read it"})
		return err
	}
	if err := approve(ann); fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), "started") {
		t.Errorf("ann approves what she has started: %v", err)
	}
	if err := approve(eve); fault.CodeOf(err) != fault.Refused {
		t.Errorf("eve approves: %v", err)
	}
	if _, err := bob.Command(t.Context(), run.Name, api.UpdateAbort, api.Command{Reason: "no"}); fault.CodeOf(err) != fault.Refused {
		t.Errorf("bob approves, and aborts: %v", err)
	}

	// Whoever watches by a server that goes away goes on by another one.
	one.stop()
	if _, err := ann.Status(t.Context(), run.Name); fault.CodeOf(err) != fault.Unreachable {
		t.Errorf("a server that has ended says %v", err)
	}
	var seen []api.Phase
	watched := make(chan error, 1)
	go func() {
		watched <- bob.Watch(t.Context(), run.Name, func(v engine.View, err error) {
			if err == nil {
				seen = append(seen, v.Phase)
			}
		})
	}()
	if err := approve(bob); err != nil {
		t.Fatal(err)
	}
	if end := s.ended(run.Name, time.Minute); end.Phase != api.PhaseSucceeded {
		t.Errorf("the run ended %s", end.Phase)
	}
	if err := <-watched; err != nil || len(seen) == 0 || seen[len(seen)-1] != api.PhaseSucceeded {
		t.Errorf("bob has watched %v: %v", seen, err)
	}
	entries, err := bob.Audit(t.Context(), run.Name, 0)
	if err != nil {
		t.Fatal(err)
	}
	has := func(who, command, outcome string) bool {
		return slices.ContainsFunc(entries, func(e ledger.Entry) bool {
			return e.Who == who && e.Command == command && strings.HasPrefix(e.Outcome, outcome)
		})
	}
	if !has("people:ann@example.org", "run", "accepted") || !has("people:ann@example.org", "approve", ledger.Refused) ||
		!has("people:bob@example.org", "approve", "stage all has 1 of 1") {
		t.Errorf("the audit has %+v", entries)
	}
}

// answering is a server of the test's own.
type answering struct {
	url    string
	client *http.Client
	stop   func()
}

// serve starts a server on the site's ledger and Temporal that trusts an issuer.
func (s *site) serve(t testing.TB, people *issuertest.Issuer) *answering {
	t.Helper()
	l, err := openLedger(t.Context(), s.path)
	if err != nil {
		t.Fatal(err)
	}
	e := engine.New(l, func(ctx context.Context) (*engine.Server, error) {
		c, err := engine.Dial(ctx, s.dial)
		if err != nil {
			return nil, err
		}
		return c.Server(), nil
	}, engine.Options{Proven: true})
	cert, key, pool := certificate(t)
	listen := free(t)
	ctx, stop := context.WithCancel(t.Context())
	up, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- server.Run(ctx, server.Setup{
			Engine: e, Ledger: l, Installation: "e2e", Version: "test", Listen: listen, Cert: cert, Key: key,
			Auth: &authn.Config{Issuers: []authn.Issuer{{Name: "people", URL: people.URL, Audiences: []string{"sluice"}, Kind: authn.People}}},
			Bindings: []*pipelines.Binding{
				bind("starts", `subject == "people:ann@example.org"`, pipelines.RoleOperator, pipelines.RoleApprover),
				bind("approves", `subject == "people:bob@example.org"`, pipelines.RoleApprover),
			},
			Logger: slog.New(slog.DiscardHandler), Say: func([]string) { close(up) },
		})
	}()
	select {
	case <-up:
	case err := <-ended:
		t.Fatalf("the server has ended: %v", err)
	}
	end := func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		ended <- nil
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	at := &answering{url: "https://" + listen, stop: end, client: &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13},
	}}}
	t.Cleanup(func() { at.client.CloseIdleConnections(); stop(); <-ended })
	return at
}

// as asks the server as somebody.
func (at *answering) as(t testing.TB, people *issuertest.Issuer, who string) *remote.Engine {
	t.Helper()
	c, err := remote.New(remote.Options{URL: at.url, HTTP: at.client, Token: func(context.Context) (string, error) {
		now := time.Now()
		return people.Token(map[string]any{
			"sub": "id-" + who, "email": who, "email_verified": true, "aud": "sluice", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		}), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return &remote.Engine{Client: c}
}

func bind(name, subjects string, roles ...pipelines.BindingRole) *pipelines.Binding {
	return &pipelines.Binding{
		Metadata: pipelines.Metadata{Name: name},
		Spec:     pipelines.BindingSpec{Subjects: subjects, Roles: roles, Scope: pipelines.BindingScope{All: true}},
	}
}

// certificate makes one for this machine, and returns its files and who trusts it.
func certificate(t testing.TB) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	pool.AppendCertsFromPEM(public)
	for name, data := range map[string][]byte{cert: public, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, pool
}
