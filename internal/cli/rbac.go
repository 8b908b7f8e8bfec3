package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	rbacv1 "k8s.io/api/rbac/v1"
	utilversion "k8s.io/apimachinery/pkg/util/version"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/lint"
	"sluice.dev/sluice/internal/rights"
	"sluice.dev/sluice/pipelines"
)

// RBACOptions are what rbac needs.
type RBACOptions struct {
	Out, Err io.Writer
	Paths    []string
	Library  []pipelines.Source
	Kube     string // version of Kubernetes to render for
	Name     string
	Account  string // NAMESPACE/NAME
	User     string
	Group    string
	Apart    bool
	Agent    bool
	Values   bool
	Format   format
}

// NewCmdRBAC prints what a worker or agent may do in a cluster.
func NewCmdRBAC(f *Factory, runF func(*RBACOptions) error) *cobra.Command {
	opts := &RBACOptions{Out: f.Out, Err: f.Err, Library: f.Library}
	var files []string
	cmd := &cobra.Command{
		Use:   "rbac [PATH...]",
		Short: "Print the roles that a worker or agent needs in a cluster",
		Long: `Print the roles of Kubernetes' RBAC that a worker or an agent needs in a cluster, with the reason of
each rule: what it does in every cluster, what bringing the components of files and folders takes, and
what their pipelines and tasks look at. It renders the components for every configuration, and asks no
cluster. Without files it is what every cluster needs; with those of other components it is more.

The roles are given to a ServiceAccount, or to a user or group of a kubeconfig. What is asked for in
namespaces is given everywhere, as components come into new ones; --namespaced gives it in those alone
that the files have now.`,
		Example: `  sluice rbac examples | kubectl apply -f -
  sluice rbac examples --namespaced --user sluice-worker
  sluice rbac examples --values > rbac.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Paths = slices.Concat(args, files)
			if _, err := utilversion.ParseGeneric(opts.Kube); err != nil {
				return usage(cmd, "cannot read --kube-version %q: write a version such as %s", opts.Kube, lint.KubeVersion)
			}
			if _, err := opts.whose(); err != nil {
				return usage(cmd, "%v", err)
			}
			if opts.Values && opts.Format != asText {
				return usage(cmd, "--values is YAML for a chart, and takes no -o")
			}
			if runF != nil {
				return runF(opts)
			}
			return rbacRun(opts)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&files, "file", "f", nil, "`PATH` of a file or folder, as plan and run take it; may be repeated")
	flags.StringVar(&opts.Kube, "kube-version", lint.KubeVersion, "`VERSION` of Kubernetes to render for")
	flags.StringVar(&opts.Name, "name", "sluice-worker", "`NAME` of the roles and bindings")
	flags.StringVar(&opts.Account, "service-account", "", "`NAMESPACE/NAME` of whom they are given to (default sluice-system/sluice-worker)")
	flags.StringVar(&opts.User, "user", "", "`NAME` of a user of the API server, instead")
	flags.StringVar(&opts.Group, "group", "", "`NAME` of a group, instead")
	flags.BoolVar(&opts.Apart, "namespaced", false, "give what is asked for in namespaces by a role in each of them")
	flags.BoolVar(&opts.Agent, "agent", false, "those of an agent, which tells of its cluster too; --values are always these")
	flags.BoolVar(&opts.Values, "values", false, "print the rules as values of the chart of an agent")
	addOutput(cmd, &opts.Format)
	return cmd
}

// whose is who gets the roles.
func (o *RBACOptions) whose() (rbacv1.Subject, error) {
	given := 0
	for _, name := range []string{o.Account, o.User, o.Group} {
		if name != "" {
			given++
		}
	}
	namespace, name, whole := strings.Cut(o.Account, "/")
	switch {
	case given > 1:
		return rbacv1.Subject{}, fmt.Errorf("they are given to one of --service-account, --user and --group")
	case o.User != "":
		return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: o.User}, nil
	case o.Group != "":
		return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: o.Group}, nil
	case o.Account == "":
		namespace, name = "sluice-system", "sluice-worker"
	case !whole || namespace == "" || name == "" || strings.Contains(name, "/"):
		return rbacv1.Subject{}, fmt.Errorf("cannot read --service-account %q: write NAMESPACE/NAME", o.Account)
	}
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}, nil
}

func rbacRun(o *RBACOptions) error {
	work, err := o.work()
	if err != nil {
		return err
	}
	work.Agent = o.Agent || o.Values
	for _, doubt := range work.Doubts() {
		if _, err := fmt.Fprintf(shown{o.Err}, "warning: %s\n", doubt); err != nil {
			return fault.Wrap(fault.Internal, err, "cannot print")
		}
	}
	roles := work.Roles(rights.Options{Apart: o.Apart})
	if o.Values {
		values := map[string]rights.Values{"rbac": rights.ValuesOf(roles)}
		return asYAML.print(o.Out, values, nil)
	}
	whose, err := o.whose()
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot print roles")
	}
	printed := rights.Manifest{Name: o.Name, Whose: whose, Roles: roles}
	list := map[string]any{"apiVersion": "v1", "kind": "List", "items": printed.Objects()}
	return o.Format.print(o.Out, list, func() error {
		body, err := printed.YAML()
		if err != nil {
			return fault.Wrap(fault.Internal, err, "cannot print roles")
		}
		return write(o.Out, body)
	})
}

// work is what the files have a worker do; nothing where there are none.
func (o *RBACOptions) work() (rights.Work, error) {
	if len(o.Paths) == 0 {
		return rights.Work{}, nil
	}
	docs, err := engine.LoadDocuments(o.Paths, o.Library)
	if err != nil {
		return rights.Work{}, err
	}
	objects, wrong := lint.Objects(docs, lint.Options{KubeVersion: o.Kube})
	if len(wrong) > 0 {
		return rights.Work{}, fault.Wrap(fault.Invalid, wrong, "cannot render the components of %s", strings.Join(o.Paths, ", "))
	}
	return rights.Work{Objects: objects, Steps: rights.StepsOf(docs)}, nil
}
