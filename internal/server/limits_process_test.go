package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/authn/issuertest"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/remote"
	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/pipelines"
)

// measured is a server in a process of its own, with those who ask it.
type measured struct {
	tb     testing.TB
	dir    string
	ledger ledger.Ledger
	issuer *issuertest.Issuer
	roots  *x509.CertPool
	url    string
	pid    int
}

// asMeasured tells the process of a server its folder and its issuer.
const asMeasured = "SLUICE_MEASURED_SERVER"

const (
	measuredPeople   = 20
	measuredBindings = 50
)

// TestMeasuredServer is the process of a server that a benchmark has started. In any other there is nothing to test.
func TestMeasuredServer(t *testing.T) {
	dir, issuer, ok := strings.Cut(os.Getenv(asMeasured), "|")
	if !ok {
		return
	}
	l, err := sqlite.Open(t.Context(), filepath.Join(dir, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var bindings []*pipelines.Binding
	for i := range measuredBindings {
		bindings = append(bindings, &pipelines.Binding{
			Metadata: pipelines.Metadata{Name: fmt.Sprintf("b%02d", i)},
			Spec: pipelines.BindingSpec{
				Subjects: fmt.Sprintf(`issuer == "corp" && "team-%d" in claims.groups`, i),
				Roles:    []pipelines.BindingRole{pipelines.RoleOperator}, Scope: pipelines.BindingScope{All: true},
			},
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark is over, in whichever way
		stop()
	}()
	err = server.Run(ctx, server.Setup{
		Engine: measuredEngine(l, dir), Ledger: l, Installation: "measured", Version: "devel", Listen: "127.0.0.1:0",
		Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), Bindings: bindings,
		Auth:   &authn.Config{Issuers: []authn.Issuer{{Name: "corp", URL: issuer, Audiences: []string{"sluice"}, Kind: authn.People}}},
		Logger: slog.New(slog.NewJSONHandler(io.Discard, nil)),
		Say: func(lines []string) {
			fmt.Println(lines[0])
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// newMeasured fills a ledger, and starts a server of it with so many cores.
func newMeasured(tb testing.TB, cores int, fill func(l ledger.Ledger, dir string)) *measured {
	tb.Helper()
	m := &measured{tb: tb, dir: tb.TempDir(), issuer: issuertest.New(tb, time.Now)}
	var err error
	if m.ledger, err = sqlite.Open(tb.Context(), filepath.Join(m.dir, "ledger.db")); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.ledger.Close() })
	fill(m.ledger, m.dir)
	m.certificate()
	child := exec.Command(os.Args[0], "-test.run=^TestMeasuredServer$")
	child.Env = append(os.Environ(), asMeasured+"="+m.dir+"|"+m.issuer.URL, fmt.Sprint("GOMAXPROCS=", cores))
	var faults bytes.Buffer
	child.Stderr = &faults
	in, err := child.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := child.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		in.Close()
		_ = child.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	at, _, ok := strings.Cut(strings.TrimPrefix(line, "serving "), " ")
	if err != nil || !ok || !strings.HasPrefix(at, "https://") {
		tb.Fatalf("the server says %q: %v\n%s", line, err, faults.String())
	}
	m.url, m.pid = at, child.Process.Pid
	return m
}

func (m *measured) certificate() {
	m.tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		m.tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sluice"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		m.tb.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		m.tb.Fatal(err)
	}
	m.roots = x509.NewCertPool()
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: cert}, "tls.key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		data := pem.EncodeToMemory(block)
		if name == "tls.crt" {
			m.roots.AppendCertsFromPEM(data)
		}
		if err := os.WriteFile(filepath.Join(m.dir, name), data, 0o600); err != nil {
			m.tb.Fatal(err)
		}
	}
}

// connections are those of one command line.
func (m *measured) connections() *http.Client {
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: m.roots, MinVersion: tls.VersionTLS13}, MaxIdleConnsPerHost: 50}
	m.tb.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}

func (m *measured) token(person int) string {
	return m.issuer.Token(map[string]any{
		"sub": fmt.Sprint("u", person), "email": fmt.Sprintf("u%02d@example.com", person), "email_verified": true,
		"groups": []string{fmt.Sprint("team-", person), fmt.Sprint("team-", person+measuredPeople)},
	})
}

// command is the engine of a command line that asks the server.
func (m *measured) command(person int) *remote.Engine {
	m.tb.Helper()
	token := m.token(person)
	c, err := remote.New(remote.Options{
		URL: m.url, HTTP: m.connections(), Token: func(context.Context) (string, error) { return token, nil },
	})
	if err != nil {
		m.tb.Fatal(err)
	}
	return &remote.Engine{Client: c}
}

// measuredEngine is an engine on a Temporal that answers at once.
func measuredEngine(l ledger.Ledger, dir string) *engine.Engine {
	return engine.New(l, func(context.Context) (*engine.Server, error) {
		return &engine.Server{Temporal: quick{ledger: l, runs: os.DirFS(dir)}}, nil
	}, engine.Options{Proven: true})
}

// quick is a Temporal that answers at once: a preview finds one object to change in each cluster, and what a run says is in a
// file of its name.
type quick struct {
	engine.Temporal
	ledger ledger.Ledger
	runs   fs.FS
}

// changing is what is seen in a cluster in which one object changes.
func changing(cluster string) plan.ClusterDiff {
	return plan.ClusterDiff{
		Cluster: cluster, Version: "v1.36.0", Diff: "sha256:" + strings.Repeat("a", 64), Text: "sha256:" + strings.Repeat("b", 64),
		Objects: []plan.Object{
			{Object: "DaemonSet/kube-system/node-agent", Action: "patch"}, {Object: "ConfigMap/kube-system/node-agent", Action: "unchanged"},
		},
	}
}

type done struct{ client.WorkflowRun }

func (done) GetID() string                  { return "preview" }
func (done) GetRunID() string               { return "1" }
func (done) Get(context.Context, any) error { return nil }

func (q quick) ExecuteWorkflow(ctx context.Context, _ client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	in, ok := args[0].(api.PreviewInput)
	if !ok {
		return nil, fmt.Errorf("nobody plays %T", args[0])
	}
	live := plan.Live{Plan: in.Plan}
	for _, c := range in.Clusters {
		live.Clusters = append(live.Clusters, changing(c.Cluster))
	}
	data, err := json.Marshal(live)
	if err != nil {
		return nil, err
	}
	stored, err := q.ledger.Plan(ctx, in.Plan)
	if err != nil {
		return nil, err
	}
	if stored.Live, err = q.ledger.PutBlob(ctx, data); err != nil {
		return nil, err
	}
	return done{}, q.ledger.SavePlan(ctx, stored)
}

func (q quick) QueryWorkflow(_ context.Context, id, _, _ string, _ ...any) (converter.EncodedValue, error) {
	said, err := fs.ReadFile(q.runs, id)
	if err != nil {
		return nil, err
	}
	return client.NewValue(&commonpb.Payloads{Payloads: []*commonpb.Payload{
		{Metadata: map[string][]byte{converter.MetadataEncoding: []byte(converter.MetadataEncodingJSON)}, Data: said},
	}}), nil
}

func (quick) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
		Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
	}}, nil
}

func (quick) DescribeTaskQueue(context.Context, string, enumspb.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error) {
	return &workflowservice.DescribeTaskQueueResponse{}, nil
}

func (quick) GetWorkflowHistory(context.Context, string, string, bool, enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	return nothing{}
}
