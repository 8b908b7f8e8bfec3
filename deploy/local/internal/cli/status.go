package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/deploy/local/internal/control"
	"sluice.dev/sluice/deploy/local/internal/stack"
)

func newStatus(env environment, folder folderFunc) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what runs and whether it is ready",
		Long:  `Show what runs and whether it is ready. The exit code is 0 only if everything is.`,
		Example: `  sluice local status
  sluice local status -o yaml`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains([]string{"", "json", "yaml"}, output) {
				return usagef("cannot print as %q: want json or yaml", output)
			}
			f, err := folder()
			if err != nil {
				return err
			}
			return runStatus(cmd.Context(), env, f, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "print as `FORMAT`: json or yaml")
	return cmd
}

func runStatus(ctx context.Context, env environment, f stack.Folder, output string) error {
	status, err := lookUp(ctx, f)
	if err != nil {
		return err
	}
	switch {
	case output != "":
		if err := encode(env.out, status, output); err != nil {
			return fmt.Errorf("cannot print status: %w", err)
		}
	case !status.Running:
		fmt.Fprintf(env.out, "no stack is running in %s\n", f.Root())
	default:
		if err := printStatus(env, status); err != nil {
			return err
		}
	}
	if !status.Ready {
		return errSilent
	}
	return nil
}

// encode writes an object as json or yaml, under the same names.
func encode(w io.Writer, object any, output string) error {
	body, err := json.MarshalIndent(object, "", "  ")
	if err != nil {
		return err
	}
	body = append(body, '\n')
	if output == "yaml" {
		if body, err = yaml.JSONToYAML(body); err != nil {
			return err
		}
	}
	_, err = w.Write(body)
	return err
}

// lookUp asks the supervisor. Without one it returns what the folder says.
func lookUp(ctx context.Context, f stack.Folder) (control.Status, error) {
	client, err := control.NewClient(f)
	if err == nil {
		var status control.Status
		if status, err = client.Status(ctx); err == nil {
			return status, nil
		}
	}
	if !errors.Is(err, control.ErrNotRunning) {
		return control.Status{}, fmt.Errorf("cannot get status: %w", err)
	}
	status := control.Status{Dir: f.Root(), Kubeconfig: f.Kubeconfig(), Clusters: []control.ClusterStatus{}}
	d, err := f.ReadDescription()
	if errors.Is(err, fs.ErrNotExist) {
		return status, nil
	}
	if err != nil {
		return status, err
	}
	status.Temporal.TemporalDescription = d.Temporal
	for _, c := range d.Clusters {
		status.Clusters = append(status.Clusters, control.ClusterStatus{
			Name: c.Name, Server: c.Server, AuditLog: c.AuditLog, Nodes: c.Nodes, Parts: []control.PartStatus{},
		})
	}
	return status, nil
}

func printStatus(env environment, status control.Status) error {
	w := tabwriter.NewWriter(env.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tREADY\tNODES\tADDRESS\tPROCESSES")
	for _, c := range status.Clusters {
		fmt.Fprintf(w, "%s\t%s\t%d/%d\t%s\t%s\n", c.Name, yesNo(c.Ready), c.NodesReady, c.Nodes, c.Server, processes(c.Parts))
	}
	t := status.Temporal
	fmt.Fprintf(w, "%s\t%s\t\t%s\t%s\n", stack.Temporal, yesNo(t.Ready), t.Address, processes([]control.PartStatus{t.PartStatus}))
	if err := w.Flush(); err != nil {
		return fmt.Errorf("cannot print status: %w", err)
	}
	fmt.Fprintf(env.out, "\nkubeconfig  %s\nweb ui      %s\nsupervisor  %d\n", status.Kubeconfig, t.UI, status.PID)
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func processes(parts []control.PartStatus) string {
	var texts []string
	for _, p := range parts {
		text := p.Part + " " + p.State
		if p.PID != 0 {
			text = fmt.Sprintf("%s %d", p.Part, p.PID)
		}
		if p.Restarts > 0 {
			text += fmt.Sprintf(" (restarts %d)", p.Restarts)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}
