package cli

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

func newKubectl(env environment) *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl --cluster NAME ARGS...",
		Short: "Run kubectl on a cluster",
		Long: `Run kubectl on a cluster of the stack. --cluster and --dir come first; all that
follows is for kubectl. With one cluster in the stack --cluster can be left out.`,
		Example:            "  sluice local kubectl --cluster e2e-1 get nodes -L pool",
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			k, rest, err := parseKubectl(args)
			if err != nil {
				return err
			}
			if k.help {
				return cmd.Help()
			}
			f, err := stack.Open(k.dir)
			if err != nil {
				return err
			}
			d, err := f.ReadDescription()
			if errors.Is(err, fs.ErrNotExist) {
				return usagef("cannot run kubectl: there is no stack in %s", f.Root())
			}
			if err != nil {
				return err
			}
			name, err := chooseCluster(d, k.cluster)
			if err != nil {
				return err
			}
			return env.kubectl(d.Kubeconfig, name, rest)
		},
	}
}

type kubectlOptions struct {
	cluster, dir string
	help         bool
}

// parseKubectl takes our own flags from the front of kubectl's arguments.
func parseKubectl(args []string) (kubectlOptions, []string, error) {
	o := kubectlOptions{dir: stack.DefaultFolder}
	for len(args) > 0 {
		flag, value, inline := strings.Cut(args[0], "=")
		var into *string
		switch flag {
		case "--cluster":
			into = &o.cluster
		case "--dir":
			into = &o.dir
		case "--help", "-h":
			o.help = true
			return o, nil, nil
		default:
			return o, args, nil
		}
		if !inline {
			if len(args) < 2 {
				return o, nil, usagef("cannot read flag %s: it needs a value", flag)
			}
			args, value = args[1:], args[1]
		}
		*into, args = value, args[1:]
	}
	return o, args, nil
}

func chooseCluster(d stack.Description, name string) (string, error) {
	var names []string
	for _, c := range d.Clusters {
		names = append(names, c.Name)
	}
	switch {
	case name == "" && len(names) == 1:
		return names[0], nil
	case name == "":
		return "", usagef("cannot choose a cluster: give --cluster with one of %s", strings.Join(names, ", "))
	case !slices.Contains(names, name):
		return "", usagef("cannot find cluster %q: the stack has %s", name, strings.Join(names, ", "))
	}
	return name, nil
}
