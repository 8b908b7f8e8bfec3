package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/term"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/identity"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/postgres"
	"sluice.dev/sluice/internal/ledger/sqlite"
	"sluice.dev/sluice/internal/payload"
	"sluice.dev/sluice/internal/traces"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/catalog"
)

// Factory gives commands what they need, when they need it: `--help` touches nothing. The zero value is not enough; start
// from System.
type Factory struct {
	In        io.Reader
	Out, Err  io.Writer
	Terminal  bool              // somebody reads Out on a screen
	Lively    bool              // Out may be redrawn and coloured: a terminal, and nobody said NO_COLOR
	Width     func() (w, h int) // of the terminal
	Clock     clock.WithTicker
	Who       func() string // who asks: what audits and runs call the person
	Getenv    func(string) string
	LookEvery time.Duration      // how often a run that is watched is asked
	NamesIn   time.Duration      // how long a shell that completes waits for names
	Library   []pipelines.Source // documents that files may refer to without declaring them
	Version   string
	Worker    func(context.Context, WorkerRun) error                  // serves task queues
	Serve     func(context.Context, ServerRun) error                  // answers over HTTP
	Agent     func(context.Context, AgentRun) error                   // does the work of a site, and dials in for it
	Direct    func(context.Context, DirectRun) (api.RunStatus, error) // takes a run back without Temporal
	Demo      func(context.Context, DemoRun) error                    // plays the demo
	Test      func(Scenario) (Played, error)                          // plays a scenario
	Exec      func(context.Context, string, []string) error
	Temporal  func(context.Context) (*engine.Server, error) // default: dialled as the flags say

	// What the global flags say.
	Server, Context                 string
	Itself                          bool // ask the ledger, whatever server there may be
	Ledger, Dir, Address, Namespace string
	PayloadKeys                     string
	Init                            bool // make the ledger where there is none

	proven     bool                                                     // names that come in are as they are
	vouched    func(ctx context.Context, server string) (string, error) // a token of the job that this is, for a server; nil: it is none
	asked      Engine
	engine     *engine.Engine
	ledger     ledger.Ledger
	connection *engine.Connection
	ring       *payload.Ring  // that was read
	traces     *traces.Traces // nil: none are sent
}

// System returns a factory on this process: its streams, environment and clock.
func System() *Factory {
	f := &Factory{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Clock: clock.RealClock{}, Getenv: os.Getenv, Who: who, Library: catalog.Sources(),
		Width: func() (int, int) {
			w, h, err := term.GetSize(int(os.Stdout.Fd()))
			if err != nil {
				return defaultWidth, defaultHeight
			}
			return w, h
		},
		Exec: replace, LookEvery: time.Second, NamesIn: 700 * time.Millisecond,
	}
	f.Terminal = term.IsTerminal(int(os.Stdout.Fd()))
	f.Lively = f.Terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return f
}

const (
	defaultWidth  = 100
	defaultHeight = 40
)

// who is whoever calls: the person at this machine, or a job of a build system, which says so in the variable CI.
func who() string {
	name := person()
	if inCI, err := strconv.ParseBool(os.Getenv("CI")); err == nil && inCI {
		return identity.OfCI(name)
	}
	return name
}

// person is the person at this machine: the e-mail address that git signs with, else the login name.
func person() string {
	if mail, err := exec.Command("git", "config", "user.email").Output(); err == nil {
		if mail := strings.TrimSpace(string(mail)); mail != "" {
			return mail
		}
	}
	for _, name := range []string{"USER", "LOGNAME", "USERNAME"} {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return "unknown"
}

// Open returns the ledger that the flags name, open. One that is not there is made only where Init says so, else it is
// fault.NotFound: a mistyped folder must not look like a fleet that nothing was ever done in.
func (f *Factory) Open(ctx context.Context) (ledger.Ledger, error) {
	if f.ledger != nil {
		return f.ledger, nil
	}
	open := f.openFile
	if postgres.IsURL(f.ledgerPath()) {
		open = f.openDatabase
	}
	l, err := open(ctx)
	if err != nil {
		return nil, err
	}
	f.ledger = l
	return l, nil
}

func (f *Factory) openFile(ctx context.Context) (ledger.Ledger, error) {
	if !f.Init {
		if err := f.ledgerThere(); err != nil {
			return nil, err
		}
	}
	l, err := sqlite.Open(ctx, f.ledgerPath())
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (f *Factory) openDatabase(ctx context.Context) (ledger.Ledger, error) {
	l, err := postgres.Open(ctx, f.ledgerPath(), f.Init)
	if errors.Is(err, postgres.ErrNone) {
		return nil, fault.New(fault.NotFound, "%v; %s", err, whoMakesOne)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Dial returns the Temporal client that flags, environment and profile name, connected.
func (f *Factory) Dial(ctx context.Context, logger *slog.Logger, counts client.MetricsHandler) (*engine.Connection, error) {
	if f.connection != nil {
		return f.connection, nil
	}
	keys, err := f.payloads()
	if err != nil {
		return nil, err
	}
	c, err := engine.Dial(ctx, engine.DialOptions{
		Address: f.Address, Namespace: f.Namespace, Dir: f.state(), Logger: logger, Metrics: counts,
		Traced: f.traces.Interceptors(), Payloads: keys,
	})
	if err != nil {
		return nil, err
	}
	f.connection = c
	return c, nil
}

// here returns the engine on the ledger. Temporal is dialled when something first needs it.
func (f *Factory) here(ctx context.Context) (*engine.Engine, error) {
	if f.engine != nil {
		return f.engine, nil
	}
	l, err := f.Open(ctx)
	if err != nil {
		return nil, err
	}
	dial := f.Temporal
	if dial == nil {
		dial = func(ctx context.Context) (*engine.Server, error) {
			c, err := f.Dial(ctx, nil, nil)
			if err != nil {
				return nil, err
			}
			return c.Server(), nil
		}
	}
	f.engine = engine.New(l, dial, engine.Options{Library: f.Library, Clock: f.Clock, Program: f.program(), Proven: f.proven})
	return f.engine, nil
}

// Close ends what was opened.
func (f *Factory) Close() error {
	var failed []error
	if f.connection != nil {
		f.connection.Close()
	}
	if f.ledger != nil {
		failed = append(failed, f.ledger.Close())
	}
	f.traces.Close()
	f.asked, f.engine, f.ledger, f.connection, f.traces = nil, nil, nil, nil, nil
	return fault.Wrap(fault.Internal, errors.Join(failed...), "cannot close the ledger")
}
