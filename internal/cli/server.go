package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
)

// ServerRun is what a server is started with. The ledger is closed by the command line.
type ServerRun struct {
	Engine  *engine.Engine
	Ledger  ledger.Ledger
	Listen  string
	Up      func(LocalServer) error // hears how a local server is asked, once it is there
	Version string
	Logger  *slog.Logger
}

// ServerOptions are what server needs.
type ServerOptions struct {
	WorkerOptions
	Listen string
	Local  bool
}

func newCmdServer(f *Factory) *cobra.Command {
	opts := &ServerOptions{WorkerOptions: WorkerOptions{Factory: f}}
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Answer commands over HTTP until interrupted",
		Long: `Answer over HTTP what the command line asks: command lines and build systems need one address then,
and neither Temporal nor the ledger. Nothing is kept in a server.

With --local it is the server of the local stack: it serves as a worker too, listens on this machine
only, and is asked by every command in that folder, without a flag. Whoever may read the state folder
may ask it; it takes the name that a command gives, and marks it as unverified.`,
		Example: `  sluice server --local`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serverRun(cmd.Context(), opts)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&opts.Local, "local", false, "be the server and the worker of the local stack")
	flags.StringVar(&opts.Listen, "listen", "127.0.0.1:0", "`ADDRESS` to listen at; with --local one of this machine")
	opts.addFlags(cmd)
	return cmd
}

func serverRun(ctx context.Context, o *ServerOptions) error {
	f := o.Factory
	if f.Serve == nil {
		return fault.New(fault.Internal, "this build of sluice has no server")
	}
	if !o.Local {
		return fault.New(fault.Invalid, "cannot serve: only --local is there, a server that knows nobody's name")
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return fault.New(fault.Invalid, "cannot listen at %q: with --local write 127.0.0.1:PORT, or [::1]:PORT", o.Listen)
	}
	work, err := o.prepare(ctx)
	if err != nil {
		return err
	}
	at := filepath.Join(f.state(), serverFile)
	serve := ServerRun{
		Engine: work.Engine, Ledger: work.Ledger, Listen: o.Listen, Version: f.Version, Logger: work.Logger,
		Up: func(l LocalServer) error {
			data, err := json.Marshal(l)
			if err == nil {
				err = writeWhole(at, append(data, '\n'))
			}
			if err != nil {
				return fault.Wrap(fault.Internal, err, "cannot say in %s how the server is asked", at)
			}
			_, err = fmt.Fprintf(f.Err, "serving %s for whoever may read %s; names are taken as given, and marked as unverified\n", l.URL, at)
			return err
		},
	}
	defer func() { _ = os.Remove(at) }()
	return together(ctx,
		func(ctx context.Context) error { return f.Serve(ctx, serve) },
		func(ctx context.Context) error { return f.Worker(ctx, work) },
	)
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
