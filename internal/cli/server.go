package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/credential"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/metrics"
	"sluice.dev/sluice/internal/payload"
	"sluice.dev/sluice/internal/traces"
	"sluice.dev/sluice/pipelines"
)

// ServerRun is what a server is started with. The ledger is closed by the command line.
type ServerRun struct {
	Engine       *engine.Engine
	Ledger       ledger.Ledger
	Installation string
	Listen       string
	Cert, Key    string
	Auth         *authn.Config // nil: it is the server of a local stack
	Bindings     []*pipelines.Binding
	Local        func(url, token string) error // hears how a local server is asked
	Say          func([]string)
	Version      string
	Logger       *slog.Logger
	Agents       string          // address at which agents are let in; "" for nowhere
	AgentsDir    string          // the folder of the keys by which they are
	Metrics      string          // address at which Prometheus finds what it counts; "" for nowhere
	Counts       *metrics.Server // where it counts, if its worker serves that; nil: it serves it itself
	Traces       *traces.Traces
	Payloads     *payload.Ring // the keys of payloads; nil: they are not encrypted
	Origins      []string      // of pages that may have payloads decoded: Temporal's UI
}

// ServerOptions are what server needs.
type ServerOptions struct {
	WorkerOptions
	Listen    string
	Local     bool
	Config    string
	Cert, Key string
	Bindings  []string
	Agents    string
	AgentsDir string
	Origins   []string
}

func newCmdServer(f *Factory) *cobra.Command {
	opts := &ServerOptions{WorkerOptions: WorkerOptions{Factory: f, Service: localService}}
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Answer commands over HTTP until interrupted",
		Long: `Answer over HTTP what the command line asks: command lines and build systems need one address then,
and neither Temporal nor the ledger. Nothing is kept in a server: several may serve one ledger in
PostgreSQL. Workers are started on their own.

The file of --config says whose tokens and certificates are trusted for who somebody is; bindings say
who may do what: those of --bindings, and those that are kept by 'sluice apply'. Without a binding
nobody may do anything.

With --local it is the server of the local stack: it serves as a worker too, listens on this machine
only, and is asked by every command in that folder, without a flag. Whoever may read the state folder
may ask it; it takes the name that a command gives, and marks it as unverified.`,
		Example: `  sluice server --local
  sluice server --listen :8443 --config access.yaml --bindings bindings --tls-cert tls.crt --tls-key tls.key`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.Local {
				return localServerRun(cmd.Context(), opts)
			}
			for _, name := range []string{"kubeconfig", "site", "site-only", "allow-script", "receivers", "prober-image"} {
				if cmd.Flags().Changed(name) {
					return usage(cmd, "--%s goes with --local: a server does no work, and workers are started on their own", name)
				}
			}
			return serverRun(cmd.Context(), opts)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.Local, "local", false, "be the server and the worker of the local stack")
	flags.StringVar(&opts.Listen, "listen", "127.0.0.1:0", "`ADDRESS` to listen at; with --local one of this machine")
	flags.StringVar(&opts.Config, "config", "", "`FILE` that says who is trusted for who somebody is")
	flags.StringVar(&opts.Cert, "tls-cert", "", "`FILE` of the server's certificate; read again when it changes")
	flags.StringVar(&opts.Key, "tls-key", "", "`FILE` of its key")
	flags.StringArrayVar(&opts.Bindings, "bindings", nil, "`PATH` of Bindings; read at the start; may be repeated")
	flags.StringVar(&opts.Agents, "agents", "", "`ADDRESS` at which agents are let in (default: none are)")
	flags.StringArrayVar(&opts.Origins, "codec-origin", nil,
		"`ORIGIN` of Temporal's UI, such as https://temporal.example.org, whose pages may have payloads decoded; may be repeated")
	flags.StringVar(&opts.AgentsDir, "agents-dir", "",
		"`FOLDER` of the keys of 'sluice cluster keys FOLDER' (with --local: default that of the state folder)")
	opts.addFlags(cmd)
	return cmd
}

func serverRun(ctx context.Context, o *ServerOptions) error {
	f := o.Factory
	switch {
	case f.Serve == nil:
		return fault.New(fault.Internal, "this build of sluice has no server")
	case o.Config == "":
		return fault.New(fault.Invalid, "cannot serve: --config is missing; a server that trusts nobody answers nobody (--local needs none)")
	case o.Cert == "" || o.Key == "":
		return fault.New(fault.Invalid, "cannot serve: --tls-cert and --tls-key are missing; tokens do not go over the wire in the clear")
	}
	if o.Agents != "" && o.AgentsDir == "" {
		return fault.New(fault.Invalid, "cannot let agents in: --agents-dir is missing; make one with: sluice cluster keys FOLDER")
	}
	keys, err := f.payloads()
	if err != nil {
		return err
	}
	data, err := os.ReadFile(o.Config)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot read who is trusted")
	}
	trusted, err := authn.Load(data)
	if err != nil {
		return err
	}
	bindings, err := readBindings(o.Bindings)
	if err != nil {
		return err
	}
	logger := o.logger()
	f.trace(ctx, serverService, logger)
	f.proven = true
	l, err := f.Open(ctx)
	if err != nil {
		return err
	}
	installation, err := l.Installation(ctx)
	if err != nil {
		return err
	}
	e, err := f.here(ctx)
	if err != nil {
		return err
	}
	return f.Serve(ctx, ServerRun{
		Engine: e, Ledger: l, Installation: installation, Listen: o.Listen, Cert: o.Cert, Key: o.Key, Auth: &trusted, Bindings: bindings,
		Say: f.says, Version: f.Version, Logger: logger, Metrics: o.Metrics, Agents: o.Agents, AgentsDir: o.AgentsDir,
		Traces: f.traces, Payloads: keys, Origins: o.Origins,
	})
}

// readBindings reads the documents of files and folders, which have no others.
func readBindings(paths []string) ([]*pipelines.Binding, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	docs, err := engine.LoadDocuments(paths, nil)
	if err != nil {
		return nil, err
	}
	var all []*pipelines.Binding
	for _, name := range slices.Sorted(maps.Keys(docs.Bindings)) {
		all = append(all, docs.Bindings[name])
	}
	return all, nil
}

func (f *Factory) says(lines []string) {
	for _, line := range lines {
		fmt.Fprintln(f.Err, line)
	}
}

func localServerRun(ctx context.Context, o *ServerOptions) error {
	f := o.Factory
	if o.Config != "" || o.Cert != "" || o.Key != "" || len(o.Bindings) > 0 {
		return fault.New(fault.Invalid, "cannot serve: --local trusts whoever may read the state folder, and takes neither --config, "+
			"--tls-cert, --tls-key nor --bindings")
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return fault.New(fault.Invalid, "cannot listen at %q: with --local write 127.0.0.1:PORT, or [::1]:PORT", o.Listen)
	}
	if err := f.onlyServer(ctx); err != nil {
		return err
	}
	if err := o.localKeys(); err != nil {
		return err
	}
	keys, err := f.payloads()
	if err != nil {
		return err
	}
	work, err := o.prepare(ctx)
	if err != nil {
		return err
	}
	installation, err := work.Ledger.Installation(ctx)
	if err != nil {
		return err
	}
	counts := metrics.NewServer()
	work.Beside = []metrics.Source{counts}
	at := filepath.Join(f.state(), serverFile)
	var url string
	serve := ServerRun{
		Engine: work.Engine, Ledger: work.Ledger, Installation: installation, Listen: o.Listen, Version: f.Version, Logger: work.Logger,
		Counts: counts, Traces: f.traces, Agents: o.Agents, AgentsDir: o.AgentsDir, Say: f.says,
		Payloads: keys, Origins: o.Origins,
		Local: func(listening, token string) error {
			url = listening
			data, err := json.Marshal(LocalServer{URL: url, Token: token})
			if err == nil {
				err = writeWhole(at, append(data, '\n'))
			}
			f.says([]string{"serving " + url + " for whoever may read " + at + "; names are taken as given, and marked as unverified"})
			return fault.Wrap(fault.Internal, err, "cannot say in %s how the server is asked", at)
		},
	}
	defer func() {
		if mine, found, err := f.localServer(); err == nil && found && mine.URL == url {
			_ = os.Remove(at)
		}
	}()
	return together(ctx,
		func(ctx context.Context) error { return f.Serve(ctx, serve) },
		func(ctx context.Context) error { return f.Worker(ctx, work) },
	)
}

// localKeys makes the keys of agents of a local stack, where it has none.
func (o *ServerOptions) localKeys() error {
	if o.Agents == "" || o.AgentsDir != "" {
		return nil
	}
	o.AgentsDir = filepath.Join(o.Factory.state(), "agents")
	_, err := credential.ReadAuthority(o.AgentsDir)
	if fault.CodeOf(err) == fault.NotFound {
		err = credential.NewAuthority(o.AgentsDir, o.Factory.Clock.Now())
	}
	return err
}

// onlyServer is fault.Conflict where the state folder has a server that answers.
func (f *Factory) onlyServer(ctx context.Context) error {
	there, found, err := f.localServer()
	if err != nil || !found {
		return err
	}
	c, err := f.client(there.options())
	if err != nil {
		return err
	}
	if _, err := c.Greet(ctx); err == nil {
		return fault.New(fault.Conflict, "cannot serve: the server of %s answers already, at %s", f.state(), there.URL)
	}
	return nil
}

// together runs two things until one of them ends, and then ends the other. What ended first says how.
func together(ctx context.Context, a, b func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 2)
	for _, run := range []func(context.Context) error{a, b} {
		go func() { ended <- run(ctx) }()
	}
	first := <-ended
	stop()
	second := <-ended
	if first == nil {
		return second
	}
	return first
}
