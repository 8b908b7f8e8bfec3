package prober_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"sluice.dev/sluice/internal/control"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/localtest"
	"sluice.dev/sluice/internal/occasion"
	"sluice.dev/sluice/internal/prober"
	"sluice.dev/sluice/internal/probing"
)

// asProber makes this binary the prober of a cluster, as an agent has it: a kubeconfig, whose context is benched.
const asProber = "SLUICE_TEST_AS_PROBER"

const benched = "a"

func TestMain(m *testing.M) {
	if kubeconfig := os.Getenv(asProber); kubeconfig != "" {
		if err := serveProbes(kubeconfig); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// serveProbes says where it takes reports, and what it writes. It ends with its standard input.
func serveProbes(kubeconfig string) error {
	p := &process{
		asked: func(q *http.Request, _ []byte) {
			if q.Method != http.MethodGet {
				fmt.Println("write", q.Method, q.URL.Path)
			}
		},
		say: func(probing.Said) {},
	}
	address, end, err := p.start(kubeconfig)
	if err != nil {
		return err
	}
	fmt.Println("serving", address)
	_, _ = io.Copy(io.Discard, os.Stdin)
	end()
	return nil
}

// process is a prober with its watches, wired as in an agent, and what it is seen to do.
type process struct {
	asked    func(q *http.Request, body []byte) // once a request is answered
	reported func(uuid string)                  // when a report comes in
	seen     func(e probing.Event)              // when a change is seen
	say      func(s probing.Said)

	prober *prober.Prober
}

// seenBy has every request of a prober be seen.
type seenBy struct {
	to http.RoundTripper
	p  *process
}

func (s seenBy) RoundTrip(q *http.Request) (*http.Response, error) {
	var body []byte
	if q.Body != nil {
		body, _ = io.ReadAll(q.Body)
		_ = q.Body.Close()
		q.Body = io.NopCloser(bytes.NewReader(body))
	}
	a, err := s.to.RoundTrip(q)
	if err == nil && s.p.asked != nil {
		s.p.asked(q, body)
	}
	return a, err
}

func (p *process) start(kubeconfig string) (address string, end func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	logger := slog.New(slog.DiscardHandler)
	if os.Getenv("PROBER_LOG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	log.SetLogger(logr.FromSlogHandler(logger.Handler()))
	url := "http://" + listener.Addr().String()
	p.prober = prober.New(prober.Options{URL: url, Clock: clock.RealClock{}, Logger: logger,
		Say: func(_ context.Context, s probing.Said) error { p.say(s); return nil },
	})
	reports := p.prober.Reports()
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if p.reported != nil {
			p.reported(q.Header.Get("kh-run-uuid"))
		}
		reports.ServeHTTP(w, q)
	})}
	go func() { _ = server.Serve(listener) }()
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{kubeconfig}})
	k := &control.Keeper{Clock: clock.RealClock{}, Logger: logger, Controllers: []control.Controller{p.prober.Controller(), {
		Name: "occasions", Add: func(cluster string, m manager.Manager) error {
			return occasion.Add(cluster, m, func(ctx context.Context, e probing.Event) {
				if p.seen != nil {
					p.seen(e)
				}
				p.prober.Happened(ctx, cluster, e)
			})
		},
	}}}
	ctx, stop := context.WithCancel(context.Background())
	k.Want(ctx, []control.Cluster{{Name: benched, Config: func() (*rest.Config, error) {
		c, err := pool.Config(benched)
		if err == nil {
			c = rest.CopyConfig(c)
			c.Wrap(func(to http.RoundTripper) http.RoundTripper { return seenBy{to, p} })
		}
		return c, err
	}}})
	return url, func() { stop(); k.Wait(); _ = server.Close(); pool.Close() }, nil
}

// ground is a real control plane with a client that is not the prober's.
type ground struct {
	b     *testing.B
	stack *localtest.Stack
	api   client.WithWatch
}

func newGround(b *testing.B, nodes int) *ground {
	b.Helper()
	g := &ground{b: b, stack: localtest.Start(b, []string{benched}, nodes)}
	config, err := clientcmd.BuildConfigFromFlags("", g.stack.Kubeconfig)
	if err != nil {
		b.Fatal(err)
	}
	config.QPS = -1
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientscheme.AddToScheme, probing.AddToScheme} {
		if err := add(scheme); err != nil {
			b.Fatal(err)
		}
	}
	if g.api, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		b.Fatal(err)
	}
	g.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	return g
}

func (g *ground) create(objects ...client.Object) {
	g.b.Helper()
	for _, o := range objects {
		if err := g.api.Create(g.b.Context(), o); err != nil {
			g.b.Fatal(err)
		}
	}
}

func (g *ground) until(what string, within time.Duration, met func() bool) {
	g.b.Helper()
	for end := time.Now().Add(within); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			g.b.Fatalf("after %s: %s", within, what)
		}
	}
}

// cases writes cases once the prober has defined what they are, and waits for it to know them.
func (g *ground) cases(all []*probing.Config) {
	g.b.Helper()
	g.until("the kinds are not served", time.Minute, func() bool {
		return g.api.List(g.b.Context(), &probing.ConfigList{}) == nil && g.api.List(g.b.Context(), &probing.RunList{}) == nil
	})
	for _, c := range all {
		g.create(c)
	}
	g.until("the prober does not know all cases", time.Minute, func() bool {
		var known probing.ConfigList
		if err := g.api.List(g.b.Context(), &known); err != nil {
			g.b.Fatal(err)
		}
		n := 0
		for i := range known.Items {
			if c := &known.Items[i]; c.Status.ObservedGeneration == c.Generation && c.Status.Problem == "" {
				n++
			}
		}
		return n == len(all)
	})
}

// account may do in the namespace of the probes what rules say.
func (g *ground) account(name string, rules ...rbacv1.PolicyRule) {
	g.b.Helper()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
	g.create(&corev1.ServiceAccount{ObjectMeta: meta}, &rbacv1.Role{ObjectMeta: *meta.DeepCopy(), Rules: rules}, &rbacv1.RoleBinding{
		ObjectMeta: *meta.DeepCopy(), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: namespace, Name: name}},
	})
}

// onProcesses is a case whose pods are processes of this machine.
func onProcesses(name, image string) *probing.Config {
	return &probing.Config{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: probing.ConfigSpec{
			Probe: "bench", Version: "v1", Severity: "P2", Timeout: metav1.Duration{Duration: 2 * time.Minute},
			Freshness: metav1.Duration{Duration: 15 * time.Minute},
			Pod: probing.PodSpec{
				Image: image, Profile: "node", NodeSelector: map[string]string{localtest.ProcessNode: "true"},
			},
		},
	}
}

// runName finds the name of a run in what is sent.
var runName = regexp.MustCompile(`case-\d+-[0-9a-f]{12}`)

// child is a prober in a process of its own.
type child struct {
	cmd *exec.Cmd
	url string

	mu     sync.Mutex
	writes map[string]int // by method and kind of object
}

func (g *ground) child() *child {
	g.b.Helper()
	self, err := os.Executable()
	if err != nil {
		g.b.Fatal(err)
	}
	c := &child{cmd: exec.Command(self), writes: map[string]int{}}
	c.cmd.Env, c.cmd.Stderr = append(os.Environ(), asProber+"="+g.stack.Kubeconfig), os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		g.b.Fatal(err)
	}
	in, err := c.cmd.StdinPipe()
	if err != nil {
		g.b.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		g.b.Fatal(err)
	}
	g.b.Cleanup(func() { _ = in.Close(); _ = c.cmd.Wait() })
	lines, serves := bufio.NewScanner(out), false
	if lines.Scan() {
		c.url, serves = strings.CutPrefix(lines.Text(), "serving ")
	}
	if !serves {
		g.b.Fatalf("the prober does not serve: it says %q", lines.Text())
	}
	go func() {
		for lines.Scan() {
			c.mu.Lock()
			c.writes[lines.Text()]++
			c.mu.Unlock()
		}
	}()
	return c
}

// written is what was written, by method and kind of object, and forgets it.
func (c *child) written() (n int, of map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of = map[string]int{}
	for line, some := range c.writes {
		n += some
		of[anyName.ReplaceAllString(line, "/*")] += some
	}
	c.writes = map[string]int{}
	return n, of
}

// anyName finds the names of objects in paths.
var anyName = regexp.MustCompile(`/[a-z-]+-[0-9][^/]*`)

// spent is how much processor the child has had.
func (c *child) spent(b *testing.B) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		b.Skip("this machine does not say what a process takes: ", err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / 100
}
