package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/proxy"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"sluice.dev/sluice/internal/authn/issuertest"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/postgres/postgrestest"
	"sluice.dev/sluice/internal/remote"
	"sluice.dev/sluice/internal/wire"
)

// installation is a worker and servers in processes of their own, on a PostgreSQL server and the Temporal of the stack. Its servers
// reach Temporal through a place at which the test hears what they ask.
type installation struct {
	t        *testing.T
	database string
	temporal string // where Temporal is
	between  *between
	ledger   ledger.Ledger // the test's own connection
	people   *issuertest.Issuer
	dir      string // of configuration and documents
	roots    *x509.CertPool
	mark     string // that no other installation on the stack has
	halt     func() // kills the worker that was started last
}

// of is a component of this installation alone.
func (in *installation) of(name string) string { return name + "-" + in.mark }

const access = `issuers:
- {name: people, url: %q, audiences: [sluice], kind: people}
`

const everybody = `apiVersion: sluice.dev/v1alpha1
kind: Binding
metadata: {name: everybody}
spec:
  subjects: 'subject in ["people:ann@example.org", "people:bob@example.org"]'
  roles: [operator, approver]
  scope: {all: true}
`

const fleet = `apiVersion: sluice.dev/v1alpha1
kind: ClusterGroup
metadata: {name: prod}
spec: {environment: production}
---
apiVersion: sluice.dev/v1alpha1
kind: Cluster
metadata: {name: a}
spec: {group: prod}
`

const asked = `apiVersion: sluice.dev/v1alpha1
kind: Pipeline
metadata: {name: asked}
spec: {stages: [{name: all, clusterGroups: {all: true}, approvals: 1}]}
`

const component = `apiVersion: sluice.dev/v1alpha1
kind: Component
metadata: {name: %[1]s}
spec:
  version: 1.0.0
  pipeline: asked
  namespace: default
  template: {manifests: %[1]s}
  exceptions: [{rule: reaches-at-once, object: "ConfigMap/%[1]s", reason: nobody reads it}]
`

// install starts an installation whose worker reaches the cluster of the stack itself.
func install(t *testing.T, database string) *installation {
	t.Helper()
	in := prepare(t, database, fleet)
	in.work("serving task queue")
	return in
}

// prepare is an installation in which nothing runs yet.
func prepare(t *testing.T, database, fleet string) *installation {
	t.Helper()
	s := stack(t)
	where, err := engine.ReadStack(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	in := &installation{
		t: t, database: database, temporal: where.Temporal.Address, between: newBetween(t, where.Temporal.Address),
		ledger: postgrestest.Open(t, database), people: issuertest.New(t, time.Now), dir: t.TempDir(),
		mark: strings.ToLower(rand.Text()[:6]) + "x",
	}
	in.write("access.yaml", fmt.Sprintf(access, in.people.URL))
	in.write("bindings.yaml", everybody)
	in.write("documents/fleet.yaml", fleet)
	in.write("documents/asked.yaml", asked)
	in.certificate()
	return in
}

// work starts a worker, waits until it says something, and returns the rest of that line.
func (in *installation) work(until string) (rest string) {
	in.t.Helper()
	rest, in.halt = in.start(until, "worker", "--kubeconfig", stack(in.t).Kubeconfig, "--address", in.temporal)
	return rest
}

func (in *installation) write(name, text string) {
	in.t.Helper()
	file := filepath.Join(in.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		in.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		in.t.Fatal(err)
	}
}

// declare adds a component of one ConfigMap, whose pipeline waits for an approval.
func (in *installation) declare(name string) {
	in.t.Helper()
	in.write("documents/"+name+".yaml", fmt.Sprintf(component, name))
	in.write("documents/"+name+"/x.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+name+"}\n")
}

// start starts the program, waits until it says something, and returns the rest of that line. Kill ends it as a crash would.
func (in *installation) start(until string, args ...string) (rest string, kill func()) {
	in.t.Helper()
	rests, kill := in.starts([]string{until}, args...)
	return rests[0], kill
}

// starts starts the program, waits until it has said some things one after the other, and returns the rest of each line.
func (in *installation) starts(until []string, args ...string) (rests []string, kill func()) {
	in.t.Helper()
	self, err := os.Executable()
	if err != nil {
		in.t.Fatal(err)
	}
	cmd := exec.Command(self, append(args, "--ledger", in.database, "--namespace", "default", "--dir", in.dir)...)
	cmd.Env = append(os.Environ(), asSluice+"=1", "TEMPORAL_CONFIG_FILE="+filepath.Join(in.dir, "no-profile.toml"))
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		in.t.Fatal(err)
	}
	said, err := cmd.StderrPipe()
	if err != nil {
		in.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		in.t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = lifeline.Close()
	})
	in.t.Cleanup(kill)
	var before strings.Builder
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if _, found, ok := strings.Cut(lines.Text(), until[len(rests)]); ok {
			if rests = append(rests, found); len(rests) == len(until) {
				go func() { _, _ = io.Copy(io.Discard, said) }()
				return rests, kill
			}
		}
		before.WriteString(lines.Text() + "\n")
	}
	in.t.Fatalf("%v has ended, and says:\n%s", args, before.String())
	return nil, nil
}

// process is a server.
type process struct {
	at   string
	kill func()
}

// serve starts a server.
func (in *installation) serve() process {
	in.t.Helper()
	rest, kill := in.start("serving https://", in.server()...)
	at, _, _ := strings.Cut(rest, " ")
	return process{at, kill}
}

// server is how a server is started.
func (in *installation) server(with ...string) []string {
	path := func(name string) string { return filepath.Join(in.dir, name) }
	return append([]string{
		"server", "--listen", "127.0.0.1:0", "--config", path("access.yaml"), "--bindings", path("bindings.yaml"),
		"--tls-cert", path("tls.crt"), "--tls-key", path("tls.key"), "--address", in.between.address,
	}, with...)
}

// as is the engine of somebody who asks whoever listens at an address.
func (in *installation) as(who, at string) *remote.Engine {
	in.t.Helper()
	token := in.token(who)
	c, err := remote.New(remote.Options{
		URL: "https://" + at, HTTP: in.client(), Token: func(context.Context) (string, error) { return token, nil },
	})
	if err != nil {
		in.t.Fatal(err)
	}
	return &remote.Engine{Client: c}
}

func (in *installation) client() *http.Client {
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: in.roots, MinVersion: tls.VersionTLS13}}
	in.t.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}

func (in *installation) token(who string) string {
	return in.people.Token(map[string]any{
		"sub": "id-" + who, "email": who + "@example.org", "email_verified": true, "aud": "sluice",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
}

// run asks for a run of a plan under a key, and returns what is answered.
func (in *installation) run(who string, at process, key, plan string) (status int, answer string) {
	in.t.Helper()
	r, err := http.NewRequestWithContext(in.t.Context(), http.MethodPost, "https://"+at.at+wire.Prefix+wire.StartRun.Path,
		strings.NewReader(fmt.Sprintf(`{"plan":%q}`, plan)))
	if err != nil {
		in.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+in.token(who))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(wire.KeyHeader, key)
	response, err := in.client().Do(r)
	if err != nil {
		in.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		in.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// plan makes a plan of a component that nobody has declared before, and returns its hash.
func (in *installation) plan(e *remote.Engine, name string) string {
	in.t.Helper()
	in.declare(name)
	p, err := e.Plan(in.t.Context(), engine.PlanRequest{
		Files: engine.Files{Paths: []string{filepath.Join(in.dir, "documents")}}, Component: name,
	})
	if err != nil {
		in.t.Fatal(err)
	}
	return p.Hash
}

// certificate makes one for this machine.
func (in *installation) certificate() {
	in.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		in.t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, of, of, private.Public(), private)
	if err != nil {
		in.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		in.t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	in.roots = x509.NewCertPool()
	in.roots.AppendCertsFromPEM(public)
	in.write("tls.crt", string(public))
	in.write("tls.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}

// between stands between servers and Temporal, and hears what they ask.
type between struct {
	address string
	mu      sync.Mutex
	hear    func(ctx context.Context, asked any, pass func() (any, error)) (any, error)
}

func newBetween(t *testing.T, temporal string) *between {
	t.Helper()
	c, err := grpc.NewClient(temporal, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	service, err := proxy.NewWorkflowServiceProxyServer(proxy.WorkflowServiceProxyOptions{Client: workflowservice.NewWorkflowServiceClient(c)})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &between{address: listener.Addr().String()}
	s := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		pass := func() (any, error) { return next(ctx, r) }
		b.mu.Lock()
		hear := b.hear
		b.mu.Unlock()
		if hear == nil {
			return pass()
		}
		return hear(ctx, r, pass)
	}))
	workflowservice.RegisterWorkflowServiceServer(s, service)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(listener) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = c.Close()
	})
	return b
}

// set has what is asked be heard by another.
func (b *between) set(hear func(ctx context.Context, asked any, pass func() (any, error)) (any, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hear = hear
}

// balancer is one address for several servers: who connects is brought to the first that is there, and brought hears which one that is.
func balancer(t *testing.T, brought func(to process), servers ...process) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go forward(from, brought, servers)
		}
	}()
	return listener.Addr().String()
}

// forward brings a connection to the first of some servers that is there.
func forward(from net.Conn, brought func(process), servers []process) {
	defer from.Close()
	for _, s := range servers {
		to, err := net.Dial("tcp", s.at)
		if err != nil {
			continue
		}
		defer to.Close()
		brought(s)
		go func() {
			_, _ = io.Copy(to, from)
			_ = to.Close()
		}()
		_, _ = io.Copy(from, to)
		return
	}
}
