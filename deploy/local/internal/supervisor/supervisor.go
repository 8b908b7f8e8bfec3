// Package supervisor runs a stack: it starts every part in order, starts parts
// again when they die, answers commands, and stops everything at the end. One
// process runs one stack.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice.dev/sluice/deploy/local/internal/control"
	"sluice.dev/sluice/deploy/local/internal/kubeconfig"
	"sluice.dev/sluice/deploy/local/internal/pki"
	"sluice.dev/sluice/deploy/local/internal/proc"
	"sluice.dev/sluice/deploy/local/internal/stack"
	"sluice.dev/sluice/deploy/local/internal/temporaldb"
)

// Options say what to run.
type Options struct {
	Folder stack.Folder
	Shape  stack.Shape
	// Programs is the folder of the programs that process nodes run in place of images.
	Programs string
	// Progress gets a line for every step of the start. It must not block.
	Progress func(line string)
	// Ready is called once, when everything is.
	Ready func(stack.Description)
	Log   *slog.Logger
}

// Supervisor runs one stack.
type Supervisor struct {
	Options
	ports    stack.Ports
	temporal *proc.Process
	clusters []*cluster
	logs     []io.Closer

	downOnce sync.Once
	down     chan struct{}
}

// Run brings a stack up and keeps it up until the context ends or somebody
// asks it to go down. When it returns, every process of the stack is gone. It
// returns stack.ErrLocked if another supervisor runs on the folder.
func Run(ctx context.Context, o Options) error {
	if err := o.Folder.Create(); err != nil {
		return err
	}
	lock, err := o.Folder.Lock()
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := temporaldb.Check(o.Folder.Temporal()); err != nil {
		return err
	}
	s := &Supervisor{Options: o, down: make(chan struct{})}
	listener, err := s.prepare()
	if err != nil {
		return err
	}
	server, err := s.serve(listener)
	if err != nil {
		return err
	}
	defer server.Close()
	return s.run(ctx)
}

func (s *Supervisor) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-s.down:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := s.Folder.WriteDescription(s.describe(os.Getpid())); err != nil {
		return err
	}
	err := s.start(ctx)
	if err == nil {
		s.Ready(s.describe(os.Getpid()))
		<-ctx.Done()
	}
	asked := ctx.Err() != nil
	s.stop()
	if werr := s.Folder.WriteDescription(s.describe(0)); werr != nil {
		s.Log.Error("cannot note the end", "error", werr)
	}
	os.Remove(s.Folder.ControlFile())
	if asked {
		return nil
	}
	return err
}

// prepare claims ports and writes every file that the parts read.
func (s *Supervisor) prepare() (net.Listener, error) {
	memory, _, err := s.Folder.ReadMemory()
	if err != nil {
		return nil, err
	}
	slots, err := memory.Assign(s.Shape.Clusters)
	if err != nil {
		return nil, err
	}
	ports, listener, err := stack.Claim(memory.Ports, slots)
	if err != nil {
		return nil, err
	}
	s.ports = ports
	memory.Ports, memory.Shape = ports, s.Shape
	err = errors.Join(s.Folder.WriteMemory(memory), s.makeParts(slots))
	if err != nil {
		listener.Close()
		return nil, err
	}
	return listener, nil
}

func (s *Supervisor) makeParts(slots []int) error {
	launcher, err := proc.NewLauncher()
	if err != nil {
		return err
	}
	var contexts []kubeconfig.Context
	for i, name := range s.Shape.Clusters {
		process := processNode{name: name + "-process", programs: s.Programs, addresses: s.ports.PodAddresses(slots[i])}
		c, err := newCluster(s.Folder, name, s.ports.Cluster(slots[i]), s.Shape.NodesOf(name, slots[i]), process)
		if err != nil {
			return fmt.Errorf("cannot prepare cluster %s: %w", name, err)
		}
		if err := c.prepare(launcher, s.Log, s.openLog); err != nil {
			return fmt.Errorf("cannot prepare cluster %s: %w", name, err)
		}
		s.clusters = append(s.clusters, c)
		contexts = append(contexts, c.as(pki.Admin))
	}
	out, err := s.openLog(stack.Temporal)
	if err != nil {
		return err
	}
	s.temporal = proc.New(launcher, s.Log, stack.Temporal, stack.Temporal, []string{
		"--data-dir=" + s.Folder.Temporal(),
		"--port-base=" + strconv.Itoa(s.ports.Base),
	}, out)
	return kubeconfig.Write(s.Folder.Kubeconfig(), contexts)
}

func (s *Supervisor) openLog(name string) (io.Writer, error) {
	log, err := proc.OpenLog(s.Folder.Log(name))
	if err != nil {
		return nil, err
	}
	s.logs = append(s.logs, log)
	return log, nil
}

func (s *Supervisor) serve(listener net.Listener) (*http.Server, error) {
	token, err := pki.NewToken()
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: control.Serve(token, s), ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener)
	err = stack.WriteJSON(s.Folder.ControlFile(), control.Endpoint{Address: listener.Addr().String(), Token: token})
	if err != nil {
		server.Close()
		return nil, err
	}
	return server, nil
}

// start brings everything up at once and waits until all of it is ready.
func (s *Supervisor) start(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		began := time.Now()
		s.temporal.Start()
		if err := until(ctx, stack.Temporal, s.probeTemporal); err != nil {
			return fmt.Errorf("cannot start Temporal server: %w; see %s", err, s.Folder.Log(stack.Temporal))
		}
		s.Progress("temporal: ready after " + seconds(began))
		return nil
	})
	for _, c := range s.clusters {
		group.Go(func() error { return c.start(ctx, s.Progress) })
	}
	return group.Wait()
}

// probeTemporal asks the Web UI: it is served last, when the namespace and its
// search attributes are there.
func (s *Supervisor) probeTemporal(ctx context.Context) error {
	return probeHTTP(ctx, s.temporalDescription().UI+"/healthz")
}

func (s *Supervisor) stop() {
	var wg sync.WaitGroup
	wg.Go(func() { s.temporal.Stop(15 * time.Second) })
	for _, c := range s.clusters {
		wg.Go(c.stop)
	}
	wg.Wait()
	for _, log := range s.logs {
		log.Close()
	}
}

func (s *Supervisor) describe(pid int) stack.Description {
	d := stack.Description{Temporal: s.temporalDescription(), Kubeconfig: s.Folder.Kubeconfig(), PID: pid}
	for _, c := range s.clusters {
		d.Clusters = append(d.Clusters, stack.ClusterDescription{
			Name: c.name, Server: c.server(), AuditLog: c.auditLog(), Nodes: len(c.nodes),
		})
	}
	return d
}

func (s *Supervisor) temporalDescription() stack.TemporalDescription {
	ports := s.ports.Temporal()
	return stack.TemporalDescription{
		Address:   stack.Loopback(ports.Frontend),
		Namespace: stack.TemporalNamespace,
		UI:        "http://" + stack.Loopback(ports.UI),
	}
}
