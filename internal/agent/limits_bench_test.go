package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/centre"
	"sluice.dev/sluice/internal/control"
	"sluice.dev/sluice/internal/credential"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/postgres"
	"sluice.dev/sluice/internal/ledger/sqlite"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/uplink"
)

// asCentre makes this binary a server that lets agents in: FOLDER,ADDRESS,AGENTS, and where that matters, CLUSTERS of each and the URL of a
// ledger.
const asCentre = "SLUICE_TEST_AS_CENTRE"

func TestMain(m *testing.M) {
	if spec := os.Getenv(asCentre); spec != "" {
		if err := serveAgents(strings.Split(spec, ",")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// idle stands for a Temporal that has no tasks: each poll waits for a minute. It says who polls.
type idle struct {
	workflowservice.WorkflowServiceClient
}

func (idle) PollActivityTaskQueue(
	ctx context.Context, req *workflowservice.PollActivityTaskQueueRequest, _ ...grpc.CallOption,
) (*workflowservice.PollActivityTaskQueueResponse, error) {
	fmt.Println("poll", req.GetIdentity())
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Minute):
		return &workflowservice.PollActivityTaskQueueResponse{}, nil
	}
}

// some has so many clusters in each site.
type some int

func (n some) Site(_ context.Context, name string) (all []uplink.Near, err error) {
	for i := range int(n) {
		cluster := clusterOf(name, i)
		all = append(all, uplink.Near{Name: cluster, Context: cluster})
	}
	return all, nil
}

// clusterOf is a cluster of a site; its first one is called as the site is.
func clusterOf(site string, i int) string {
	if i == 0 {
		return site
	}
	return fmt.Sprint(site, "-", i)
}

// late says how long after it was found it was heard what a probe found.
func late(said probing.Said) {
	for _, o := range said.Outcomes {
		fmt.Println("late", time.Since(o.Ended).Milliseconds())
	}
}

// openLedger opens the ledger of a server.
func openLedger(ctx context.Context, dir string, spec []string) (ledger.Ledger, error) {
	if len(spec) > 4 {
		return postgres.Open(ctx, spec[4], true)
	}
	return sqlite.Open(ctx, filepath.Join(dir, "ledger.db"))
}

// spoken is a listener that says when it has taken up a connection.
type spoken struct{ net.Listener }

func (s spoken) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err == nil {
		fmt.Println("connection", time.Now().UnixMilli())
	}
	return c, err
}

const benchInstallation = "sluice-bench"

// serveAgents is the server: in a folder of its own, with agents that were let in before. It ends with its standard input.
func serveAgents(spec []string) error {
	ctx, stop := context.WithCancel(context.Background())
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); stop() }()
	dir, address := spec[0], spec[1]
	n, err := strconv.Atoi(spec[2])
	if err != nil {
		return err
	}
	clusters := 1
	if len(spec) > 3 {
		if clusters, err = strconv.Atoi(spec[3]); err != nil {
			return err
		}
	}
	l, err := openLedger(ctx, dir, spec)
	if err != nil {
		return err
	}
	defer l.Close()
	authority, err := credential.ReadAuthority(filepath.Join(dir, "keys"))
	if err != nil {
		return err
	}
	known, err := l.ListAgents(ctx)
	if err != nil {
		return err
	}
	for i := len(known); i < n; i++ {
		if err := letIn(ctx, l, authority, dir, fmt.Sprintf("agent-%04d", i)); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("serving", listener.Addr())
	return centre.New(centre.Options{
		Ledger: l, Authority: authority, Sites: some(clusters), Heard: late, Installation: benchInstallation, Build: "v1.0.0", Clock: clock.RealClock{},
		Logger: slog.New(slog.DiscardHandler),
		Temporal: func(context.Context) (centre.Temporal, error) {
			return centre.Temporal{WorkflowServiceClient: idle{},
				Namespace: "default"}, nil
		},
	}).Serve(ctx, spoken{listener})
}

// letIn has an agent be known, and have who it is in its folder.
func letIn(ctx context.Context, l ledger.Ledger, authority *credential.Authority, dir, name string) error {
	key, err := credential.NewKey()
	if err != nil {
		return err
	}
	request, err := credential.Request(key)
	if err != nil {
		return err
	}
	certificate, serial, err := authority.Agent(name, request, time.Now())
	if err != nil {
		return err
	}
	encoded, err := credential.EncodeKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
		return err
	}
	own := identity{Agent: name, Site: name, Authority: authority.Certificate(), Certificate: certificate, Key: encoded}
	if err := writeJSON(filepath.Join(dir, name, identityFile), own); err != nil {
		return err
	}
	now := time.Now()
	if err := l.Invite(ctx, ledger.Invitation{ID: name, Agent: name, Site: name, By: "bench", Created: now,
		Expires: now.Add(time.Hour)}); err != nil {
		return err
	}
	_, err = l.Enrol(ctx, name, func(_ *ledger.Invitation, a *ledger.Agent) error {
		*a = ledger.Agent{Site: name, Certificates: []string{serial}}
		return nil
	})
	return err
}

// server is the process of a centre, and what it has said.
type server struct {
	b   *testing.B
	cmd *exec.Cmd
	in  io.Closer

	mu          sync.Mutex
	address     string
	polled      map[string]bool
	connections []int64 // milliseconds
	late        []int64 // milliseconds
}

func startServer(b *testing.B, dir, address string, agents int, more ...string) *server {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	s := &server{b: b, polled: map[string]bool{}, cmd: exec.Command(self)}
	s.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s,%s,%d%s", asCentre, dir, address, agents,
		strings.Join(append([]string{""}, more...), ",")))
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.kill)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			word, rest, _ := strings.Cut(lines.Text(), " ")
			s.mu.Lock()
			switch word {
			case "serving":
				s.address = rest
			case "poll":
				s.polled[rest] = true
			case "connection":
				at, _ := strconv.ParseInt(rest, 10, 64)
				s.connections = append(s.connections, at)
			case "late":
				ms, _ := strconv.ParseInt(rest, 10, 64)
				s.late = append(s.late, ms)
			}
			s.mu.Unlock()
		}
	}()
	s.until("it serves", func() bool { return s.address != "" })
	return s
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	_ = s.in.Close()
}

func (s *server) until(what string, is func() bool) {
	s.b.Helper()
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		s.mu.Lock()
		there := is()
		s.mu.Unlock()
		if there {
			return
		}
	}
	s.b.Fatalf("waited for: %s; %d agents have polled", what, len(s.polled))
}

// perSecond is the most connections that were taken up within a second.
func (s *server) perSecond() (most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, from := range s.connections {
		n := 0
		for _, at := range s.connections[i:] {
			if at-from >= 1000 {
				break
			}
			n++
		}
		most = max(most, n)
	}
	return most
}

// spent is how much processor the server has had, and how much memory it has.
func (s *server) spent() (cpu time.Duration, bytes int64) {
	s.b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		s.b.Skip("this machine does not say what a process takes: ", err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	pages, _ := strconv.ParseInt(fields[21], 10, 64)
	return time.Duration(user+system) * time.Second / 100, pages * int64(os.Getpagesize())
}

// dialIn starts agents, in this process, that ask for tasks as a worker does: at both queues, again and again.
func dialIn(b *testing.B, dir, address string, agents int, hang ...func(site string, say func(context.Context, probing.Said) error)) {
	b.Helper()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	config, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Config"})
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(kubeconfig, config, 0o600); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	var all sync.WaitGroup
	b.Cleanup(func() { stop(); all.Wait() })
	for i := range agents {
		all.Go(func() {
			name := fmt.Sprintf("agent-%04d", i)
			err := Run(ctx, Options{
				Hang: func(say func(context.Context, probing.Said) error) []control.Controller {
					for _, h := range hang {
						h(name, say)
					}
					return nil
				},
				Server: address, Dir: filepath.Join(dir, name), Kubeconfigs: []string{kubeconfig}, Build: "v1.0.0",
				Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler),
				Work: func(ctx context.Context, w Work) error {
					own := api.SiteQueue(api.Queue(w.Installation), w.Site)
					var both sync.WaitGroup
					for _, queue := range []string{own, api.ChecksQueue(own)} {
						both.Go(func() { poll(ctx, w, queue) })
					}
					both.Wait()
					return nil
				},
			})
			if err != nil && ctx.Err() == nil {
				b.Error(err)
			}
		})
	}
}

func poll(ctx context.Context, w Work, queue string) {
	for ctx.Err() == nil {
		within, cancel := context.WithTimeout(ctx, 70*time.Second)
		_, err := w.Temporal.WorkflowService().PollActivityTaskQueue(within, &workflowservice.PollActivityTaskQueueRequest{
			Namespace: "default", TaskQueue: &taskqueue.TaskQueue{Name: queue},
		})
		cancel()
		if err != nil && ctx.Err() == nil {
			time.Sleep(time.Second)
		}
	}
}

// BenchmarkAgentLimits has the agents of a fleet in one process, each with a connection, beats and two polls of its own, and the server in
// another one on SQLite, with a Temporal that has no tasks. Each agent has a cluster that it does not reach.
func BenchmarkAgentLimits(b *testing.B) {
	b.Run("reconnect", func(b *testing.B) {
		const agents, within, perSecond = 200, 30.0, 20
		for range b.N {
			dir := newFleet(b)
			s := startServer(b, dir, "127.0.0.1:0", agents)
			dialIn(b, dir, s.address, agents)
			s.until("all are there", func() bool { return len(s.polled) == agents })
			s.kill()
			time.Sleep(3 * time.Second)
			again := startServer(b, dir, s.address, agents)
			began := time.Now()
			again.until("all are there again", func() bool { return len(again.polled) == agents })
			took, most := time.Since(began).Seconds(), again.perSecond()
			b.ReportMetric(took, "s-until-200-are-back")
			b.ReportMetric(float64(most), "most-connections/s")
			if took > within || most > perSecond {
				b.Errorf("200 agents are back after %.1f s (limit %.0f), and at most %d connected in a second (limit %d)", took, within, most,
					perSecond)
			}
		}
	})
	b.Run("steady", func(b *testing.B) {
		const agents, watched = 1000, 30 * time.Second
		for range b.N {
			dir := newFleet(b)
			s := startServer(b, dir, "127.0.0.1:0", agents)
			dialIn(b, dir, s.address, agents)
			s.until("all are there", func() bool { return len(s.polled) == agents })
			time.Sleep(ledger.AgentBeatEvery)
			before, _ := s.spent()
			time.Sleep(watched)
			after, bytes := s.spent()
			b.ReportMetric((after-before).Seconds()/watched.Seconds(), "cores-of-the-server")
			b.ReportMetric(float64(bytes)/(1<<20), "MB-of-the-server")
		}
	})
}

func newFleet(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	if err := credential.NewAuthority(filepath.Join(dir, "keys"), time.Now()); err != nil {
		b.Fatal(err)
	}
	return dir
}
