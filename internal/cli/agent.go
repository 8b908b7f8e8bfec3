package cli

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/fault"
)

// AgentRun is what an agent is started with.
type AgentRun struct {
	Server      string // HOST:PORT
	Dir         string // its state
	Invitation  string
	Kubeconfigs []string // none: it runs in its cluster
	Scripts     map[string]string
	ProberImage string
	Probes      AgentProbes
	Measured
	Logger *slog.Logger
}

// AgentProbes is how an agent runs probes in its clusters; it runs none where URL is "".
type AgentProbes struct {
	Listen string // ADDRESS at which it takes their reports
	URL    string // by which they reach it
}

// AgentOptions are what agent needs.
type AgentOptions struct {
	Factory     *Factory
	Server      string
	State       string
	TokenFile   string
	Kubeconfigs []string
	Scripts     []string // NAME=PATH
	ProberImage string
	Probes      bool
	ProbesAt    AgentProbes
	Metrics     string
	Verbose     bool
}

// invitationEnv has the invitation where no file does.
const invitationEnv = "SLUICE_AGENT_TOKEN"

func newCmdAgent(f *Factory) *cobra.Command {
	opts := &AgentOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Do the work near the clusters of a site, and dial in for it",
		Long: `Do the tasks of one site's clusters until interrupted. The agent dials the server, and nobody dials it:
it needs neither Temporal nor the ledger, and its credentials of clusters stay with it. The first time
it comes in by what is made with 'sluice cluster enroll CLUSTER', in the file of --token-file or in
SLUICE_AGENT_TOKEN. It keeps the certificate that it gets in the folder of --state, and renews it.

Without --kubeconfig it runs in its cluster, which is then the only one of its site. With one, that has
a context for each cluster of the site, by the name that the fleet gives it.

With --probes it runs the probes that are in its clusters, and says what they find. Their pods report to
it: --probes-url is how they reach what --probes-listen names.

Where the server, or the link to it, is down, the agent goes on asking, and nothing is lost: what it was
doing is taken up where it was. Units of its clusters are Unreachable meanwhile.`,
		Example: `  sluice agent --server sluice.example.org:8444 --state /var/lib/sluice-agent --token-file /etc/sluice/token
  sluice agent --server 127.0.0.1:8444 --state agent --kubeconfig eu.kubeconfig`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return agentRun(cmd.Context(), opts) },
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.Server, "server", "", "`HOST:PORT` at which the server lets agents in (needed)")
	flags.StringVar(&opts.State, "state", "", "`FOLDER` in which the agent keeps who it is (needed)")
	flags.StringVar(&opts.TokenFile, "token-file", "", "`FILE` with the invitation, the first time")
	flags.StringArrayVar(&opts.Kubeconfigs, "kubeconfig", nil, "`FILE` with a context for each cluster of the site; may be repeated")
	flags.StringArrayVar(&opts.Scripts, "allow-script", nil, "`NAME=PATH` of an executable that checks may run here; may be repeated")
	flags.StringVar(&opts.ProberImage, "prober-image", "", "`IMAGE` of this version of sluice, run by pods that probe from inside clusters")
	flags.BoolVar(&opts.Probes, "probes", false, "run the probes that are in the clusters of the site")
	flags.StringVar(&opts.ProbesAt.Listen, "probes-listen", ":8090", "`ADDRESS` at which probes report")
	flags.StringVar(&opts.ProbesAt.URL, "probes-url", "", "`URL` by which the pods of probes reach that address (needed with --probes)")
	flags.StringVar(&opts.Metrics, "metrics", "", "`ADDRESS` at which /metrics, /healthz and /readyz are found (default: none)")
	flags.BoolVarP(&opts.Verbose, "verbose", "v", false, "log what is done, not only what goes wrong")
	return cmd
}

// maxInvitation bounds the file of an invitation, in bytes.
const maxInvitation = 4 << 10

func agentRun(ctx context.Context, o *AgentOptions) error {
	f := o.Factory
	switch {
	case f.Agent == nil:
		return fault.New(fault.Internal, "this build of sluice has no agent")
	case o.Server == "":
		return fault.New(fault.Invalid, "cannot dial in: --server is missing; write the HOST:PORT at which the server lets agents in")
	case o.State == "":
		return fault.New(fault.Invalid, "cannot dial in: --state is missing; name a folder that is there again when the agent is started anew")
	}
	probes, err := o.probes()
	if err != nil {
		return err
	}
	scripts, err := allowedScripts(o.Scripts)
	if err != nil {
		return err
	}
	if len(o.Kubeconfigs) > 0 {
		if _, err := readKubeconfigs(o.Kubeconfigs, true); err != nil {
			return err
		}
	}
	invitation := f.Getenv(invitationEnv)
	if o.TokenFile != "" {
		if invitation, err = readInvitation(o.TokenFile); err != nil {
			return err
		}
	}
	w := WorkerOptions{Factory: f, Metrics: o.Metrics, Verbose: o.Verbose}
	return f.Agent(ctx, AgentRun{
		Server: o.Server, Dir: o.State, Invitation: invitation, Kubeconfigs: o.Kubeconfigs, Scripts: scripts, ProberImage: o.ProberImage,
		Probes: probes, Measured: w.measured(), Logger: w.logger(),
	})
}

// probes is how probes are run.
func (o *AgentOptions) probes() (AgentProbes, error) {
	if !o.Probes {
		if o.ProbesAt.URL != "" {
			return AgentProbes{}, fault.New(fault.Invalid, "cannot take reports at %s: --probes is missing, so that no probe runs", o.ProbesAt.URL)
		}
		return AgentProbes{}, nil
	}
	at, err := url.Parse(o.ProbesAt.URL)
	if err != nil || at.Scheme != "http" || at.Host == "" || at.RawQuery != "" || at.Fragment != "" {
		return AgentProbes{}, fault.New(fault.Invalid,
			"cannot run probes: --probes-url is %q; write http://HOST:PORT by which their pods reach %s", o.ProbesAt.URL, o.ProbesAt.Listen)
	}
	return o.ProbesAt, nil
}

func readInvitation(file string) (string, error) {
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxInvitation {
		return "", fault.New(fault.Invalid, "cannot read the invitation in %s: it has %d bytes", file, info.Size())
	}
	data, err := os.ReadFile(file)
	return strings.TrimSpace(string(data)), fault.Wrap(fault.Invalid, err, "cannot read the invitation")
}
