package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"
	"k8s.io/client-go/tools/clientcmd"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/notify"
)

// WorkerRun is what a worker is started with. Client and Ledger are closed by the command line.
type WorkerRun struct {
	Client      client.Client
	Namespace   string
	Ledger      ledger.Ledger
	Engine      *engine.Engine // on both
	Kubeconfigs []string
	Sites       []string
	SiteOnly    bool
	Scripts     map[string]string // executables that checks may run here, by name
	ProberImage string            // that pods run which probe from inside clusters
	Receivers   notify.Receivers  // who is told what runs do
	Measured
	Logger *slog.Logger
}

// WorkerOptions are what worker needs.
type WorkerOptions struct {
	Factory     *Factory
	Kubeconfigs []string
	Sites       []string
	SiteOnly    bool
	Scripts     []string // NAME=PATH
	ProberImage string
	Receivers   []string // files and folders
	Metrics     string   // the address at which they are served
	Verbose     bool
	Service     string // what it is called in traces, where the environment does not say
}

// NewCmdWorker serves task queues until it is interrupted.
func NewCmdWorker(f *Factory, runF func(context.Context, *WorkerOptions) error) *cobra.Command {
	opts := &WorkerOptions{Factory: f, Service: workerService}
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Do the work: serve Temporal's task queues until interrupted",
		Long: `Serve the central task queue, and those of the sites that are named. Killing a worker at any moment
loses nothing: the next one goes on where it was. Without --kubeconfig it uses the local stack's, where
there is one, else $KUBECONFIG or ~/.kube/config.

Where OTEL_EXPORTER_OTLP_ENDPOINT names a collector of OpenTelemetry, it is sent traces of runs.`,
		Example: `  sluice worker
  sluice worker --kubeconfig .sluice/kubeconfig
  sluice worker --site eu --site-only --kubeconfig .sluice/kubeconfig
  sluice worker --allow-script smoke-test=/opt/checks/smoke-test
  sluice worker --receivers ops/receivers
  sluice worker --prober-image registry.example/sluice:0.9
  sluice worker --metrics 0.0.0.0:9464`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(cmd.Context(), opts)
			}
			return workerRun(cmd.Context(), opts)
		},
	}
	opts.addFlags(cmd)
	return cmd
}

func (o *WorkerOptions) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&o.Kubeconfigs, "kubeconfig", nil, "`FILE` with a context for each cluster; may be repeated")
	flags.StringSliceVar(&o.Sites, "site", nil, "`SITES` whose clusters are served too")
	flags.BoolVar(&o.SiteOnly, "site-only", false, "serve the sites only, not the central queue")
	flags.StringArrayVar(&o.Scripts, "allow-script", nil, "`NAME=PATH` of an executable that checks may run here; may be repeated")
	flags.StringArrayVar(&o.Receivers, "receivers", nil,
		"`PATH` of Receivers, who are told what runs do; read at the start; may be repeated")
	flags.StringVar(&o.ProberImage, "prober-image", "",
		"`IMAGE` of this version of sluice, run by pods that probe from inside clusters (default: that of the local stack, else none)")
	flags.StringVar(&o.Metrics, "metrics", "", "`ADDRESS` at which /metrics, /healthz and /readyz are found (default: none)")
	flags.BoolVarP(&o.Verbose, "verbose", "v", false, "log what is done, not only what goes wrong")
}

func workerRun(ctx context.Context, o *WorkerOptions) error {
	run, err := o.prepare(ctx)
	if err != nil {
		return err
	}
	return o.Factory.Worker(ctx, run)
}

// prepare reads and opens what a worker needs.
func (o *WorkerOptions) prepare(ctx context.Context) (none WorkerRun, err error) {
	f := o.Factory
	if o.SiteOnly && len(o.Sites) == 0 {
		return none, fault.New(fault.Invalid, "cannot serve sites only: no --site is given")
	}
	if f.Worker == nil {
		return none, fault.New(fault.Internal, "this build of sluice has no worker")
	}
	scripts, err := allowedScripts(o.Scripts)
	if err != nil {
		return none, err
	}
	receivers, err := readReceivers(o.Receivers)
	if err != nil {
		return none, err
	}
	logger := o.logger()
	kubeconfig, err := o.clusters()
	if err != nil {
		return none, err
	}
	measured := o.measured()
	f.trace(ctx, o.Service, logger)
	f.Init, f.proven = true, true // its names are those of the ledger and of histories
	l, err := f.Open(ctx)
	if err != nil {
		return none, err
	}
	c, err := f.Dial(ctx, logger, measured.ofTemporal())
	if err != nil {
		return none, err
	}
	installation, err := l.Installation(ctx)
	if err != nil {
		return none, err
	}
	if err := o.serving(c, installation, kubeconfig); err != nil {
		return none, err
	}
	e, err := f.here(ctx)
	if err != nil {
		return none, err
	}
	return WorkerRun{
		Client: c.Client, Namespace: c.Namespace, Ledger: l, Engine: e, Kubeconfigs: o.Kubeconfigs, Sites: o.Sites, SiteOnly: o.SiteOnly,
		Scripts: scripts, ProberImage: o.ProberImage, Receivers: receivers, Measured: measured, Logger: logger,
	}, nil
}

func (o *WorkerOptions) logger() *slog.Logger {
	level := slog.LevelWarn
	if o.Verbose {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(o.Factory.Err, &slog.HandlerOptions{Level: level}))
}

// kubeconfigs are the files that clusters are reached with, and how many contexts they have.
type kubeconfigs struct {
	files    []string
	contexts int
}

// clusters are those of the files that are named, else of the local stack where there is one, else of where they are by default.
func (o *WorkerOptions) clusters() (kubeconfigs, error) {
	named := len(o.Kubeconfigs) > 0
	if err := o.useStack(); err != nil {
		return kubeconfigs{}, err
	}
	return readKubeconfigs(o.Kubeconfigs, named)
}

// readKubeconfigs refuses a file that cannot be read and, where people have named it, one without a context. Those that
// are there by default may be missing, and a local stack may have no cluster.
func readKubeconfigs(files []string, named bool) (kubeconfigs, error) {
	if len(files) == 0 {
		files = clientcmd.NewDefaultClientConfigLoadingRules().GetLoadingPrecedence()
	}
	read := kubeconfigs{files: files}
	contexts := map[string]bool{}
	for _, file := range files {
		config, err := clientcmd.LoadFromFile(file)
		if errors.Is(err, fs.ErrNotExist) && !named {
			continue
		}
		if err != nil {
			return read, fault.Wrap(fault.Invalid, err, "cannot read kubeconfig %s", file)
		}
		if named && len(config.Contexts) == 0 {
			return read, fault.New(fault.Invalid, "cannot use kubeconfig %s: it has no context", file)
		}
		for name := range config.Contexts {
			contexts[name] = true
		}
	}
	read.contexts = len(contexts)
	return read, nil
}

// serving says in one line what is served, and with what.
func (o *WorkerOptions) serving(c *engine.Connection, installation string, k kubeconfigs) error {
	queues := "task queue " + api.Queue(installation)
	switch sites := strings.Join(o.Sites, ", "); {
	case o.SiteOnly:
		queues = "the task queues of site " + sites + " only"
	case sites != "":
		queues += " and those of site " + sites
	}
	_, err := fmt.Fprintf(shown{o.Factory.Err}, "serving %s at %s, namespace %s, with kubeconfig %s (%s)\n",
		queues, c.Address, c.Namespace, strings.Join(k.files, ", "), api.Counted(k.contexts, "context"))
	return fault.Wrap(fault.Internal, err, "cannot print")
}

// localProber is an image whose program the local stack's process nodes have: they go by its last word.
const localProber = "sluice.local/sluice:1"

// useStack takes the local stack's kubeconfig where none is named, and then the image that its nodes have.
func (o *WorkerOptions) useStack() error {
	if len(o.Kubeconfigs) > 0 || o.Factory.Getenv("KUBECONFIG") != "" {
		return nil
	}
	stack, err := engine.ReadStack(o.Factory.state())
	if err != nil {
		return err
	}
	if stack.Kubeconfig != "" {
		o.Kubeconfigs = []string{stack.Kubeconfig}
		o.ProberImage = cmp.Or(o.ProberImage, localProber)
	}
	return nil
}
