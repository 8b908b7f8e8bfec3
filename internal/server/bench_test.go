package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/authn/issuertest"
	"sluice.dev/sluice/internal/bundle"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// bench is what servers stand on: a real ledger, a real issuer, and a Temporal that is not there.
type bench struct {
	t        testing.TB
	file     string // of the ledger
	ledger   ledger.Ledger
	temporal *temporal
	clock    *testclock.FakeClock // stands at noon
	issuer   *issuertest.Issuer
	log      *log
	files    string // folder of the documents
	bindings []*pipelines.Binding
	asked    int
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{
		t: t, file: filepath.Join(t.TempDir(), "ledger.db"), clock: testclock.NewFakeClock(noon), log: &log{}, files: t.TempDir(),
	}
	sqlitetest.Put(t, b.file)
	b.ledger = b.open()
	b.temporal = &temporal{ledger: b.ledger, open: map[string]bool{}, sees: []string{"ConfigMap/agent/a"}}
	b.issuer = issuertest.New(t, b.clock.Now)
	b.write("all.yaml", documents)
	b.write("agent/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
	return b
}

// open opens the ledger once more, as another replica does.
func (b *bench) open() ledger.Ledger {
	b.t.Helper()
	l, err := sqlite.Open(context.Background(), b.file)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := l.Close(); err != nil {
			b.t.Error(err)
		}
	})
	return l
}

func (b *bench) write(name, text string) {
	b.t.Helper()
	file := filepath.Join(b.files, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		b.t.Fatal(err)
	}
}

// engine is one on a ledger.
func (b *bench) engine(l ledger.Ledger) *engine.Engine {
	return engine.New(l, func(context.Context) (*engine.Server, error) {
		return &engine.Server{Temporal: b.temporal, Address: "fake:7233", Namespace: "default"}, nil
	}, engine.Options{
		Clock: b.clock, Proven: true,
		Patience: engine.Patience{Query: 100 * time.Millisecond, Command: 100 * time.Millisecond, Worker: 10 * time.Millisecond},
	})
}

// options are those of a server that knows who asks. Who may do what, the bindings of now say.
func (b *bench) options(l ledger.Ledger) server.Options {
	b.t.Helper()
	tokens, err := authn.New(authn.Config{Issuers: []authn.Issuer{{
		Name: "corp", URL: b.issuer.URL, Audiences: []string{"sluice"}, Kind: authn.People, SubjectClaim: "sub",
	}}}, l, b.clock.Now)
	if err != nil {
		b.t.Fatal(err)
	}
	grants, err := access.Compile(b.bindings)
	if err != nil {
		b.t.Fatal(err)
	}
	return server.Options{
		Engine: b.engine(l), Guard: server.Known{Tokens: tokens}, Grants: func() *access.Grants { return grants }, Requests: l,
		Installation: "here", Version: "test", Clock: b.clock, Logger: slog.New(slog.NewTextHandler(b.log, nil)), LookEvery: time.Second,
	}
}

// handler is a server, as options are changed.
func (b *bench) handler(change ...func(*server.Options)) http.Handler {
	b.t.Helper()
	o := b.options(b.ledger)
	for _, c := range change {
		c(&o)
	}
	return server.Handler(o)
}

// bind gives somebody roles.
func (b *bench) bind(who string, scope pipelines.BindingScope, roles ...pipelines.BindingRole) {
	b.bindings = append(b.bindings, &pipelines.Binding{
		Metadata: pipelines.Metadata{Name: who},
		Spec:     pipelines.BindingSpec{Subjects: fmt.Sprintf("subject == %q", "corp::"+who), Roles: roles, Scope: scope},
	})
}

var everything = pipelines.BindingScope{All: true}

// token is one that counts.
func (b *bench) token(who string) string { return b.issuer.Token(map[string]any{"sub": who}) }

// request is one with a token, from an address of its own; none where the token is "".
func (b *bench) request(method, path, body, token string) *http.Request {
	b.asked++
	var r *http.Request
	if body == "" {
		r = httptest.NewRequest(method, wire.Prefix+path, http.NoBody)
	} else {
		r = httptest.NewRequest(method, wire.Prefix+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
	}
	r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1", b.asked>>16, b.asked>>8&255, b.asked&255)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

// answer is what a server answers.
func (b *bench) answer(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// ask has a server answer.
func (b *bench) ask(h http.Handler, method, path, body, token string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, b.request(method, path, body, token))
	return w
}

// sent are the documents of the bench, as a part of a body.
func (b *bench) sent() string {
	b.t.Helper()
	packed, err := bundle.Pack([]string{b.files}, []string{b.files})
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := json.Marshal(packed.Archive)
	if err != nil {
		b.t.Fatal(err)
	}
	paths, err := json.Marshal(packed.Paths)
	if err != nil {
		b.t.Fatal(err)
	}
	return fmt.Sprintf(`"archive":%s,"paths":%s`, text, paths)
}

// plan stores the plan of the agent for the whole fleet, and returns its hash.
func (b *bench) plan() string {
	b.t.Helper()
	p, err := b.engine(b.ledger).Plan(b.t.Context(), engine.PlanRequest{
		Files: engine.Files{Paths: []string{b.files}, Origin: &api.Origin{}}, Component: "agent", By: "corp::someone",
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return p.Hash
}

// log is what a server has logged.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all of it.
func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

const documents = `apiVersion: sluice.dev/v1alpha1
kind: ClusterGroup
metadata: {name: prod}
spec: {environment: production}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: c1}
spec: {group: prod}
---
apiVersion: sluice.dev/v1alpha1
kind: Pipeline
metadata: {name: careful}
spec: {stages: [{name: all, clusterGroups: {all: true}}]}
---
apiVersion: sluice.dev/v1alpha1
kind: Component
metadata: {name: agent}
spec: {version: 1.0.0, pipeline: careful, template: {manifests: agent}}
`

// newFiles is an archive of one document, as a part of a body.
func newFiles(t testing.TB, text string) string {
	t.Helper()
	return (&bench{t: t, files: folder(t, text)}).sent()
}

func folder(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
