package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	utilversion "k8s.io/apimachinery/pkg/util/version"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/lint"
	"sluice.dev/sluice/internal/policy"
	"sluice.dev/sluice/pipelines"
)

// LintOptions are what lint needs.
type LintOptions struct {
	Out     io.Writer
	Err     io.Writer // where warnings go, and errors
	Paths   []string
	Library []pipelines.Source
	Kube    string // version of Kubernetes to render for; default that of the client library
	Format  format
}

// NewCmdLint checks files and folders.
func NewCmdLint(f *Factory, runF func(*LintOptions) error) *cobra.Command {
	opts := &LintOptions{Out: f.Out, Err: f.Err}
	var files []string
	cmd := &cobra.Command{
		Use:   "lint [PATH...]",
		Short: "Check pipelines, tasks, components and fleets",
		Long: `Check files and folders (default: the working folder) against each other, render every component
for each distinct configuration, check what comes out against the kinds of Kubernetes and the CRDs
among it, and print everything that is wrong as file:line:column. It asks no cluster and no server.
Where policies are among the files, every pipeline is judged by them. Exits 2 where anything is wrong;
a warning is what is allowed and hardly meant, such as a label value that no cluster has, or a kind
or field that a --kube-version beyond the default may have.`,
		Example: `  sluice lint examples
  sluice lint examples/fleet examples/pipelines examples/tasks
  sluice lint examples -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Paths, opts.Library = slices.Concat(args, files), f.Library
			if _, err := utilversion.ParseGeneric(opts.Kube); err != nil {
				return usage(cmd, "cannot read --kube-version %q: write a version such as %s", opts.Kube, lint.KubeVersion)
			}
			if len(opts.Paths) == 0 {
				opts.Paths = []string{"."}
			}
			if runF != nil {
				return runF(opts)
			}
			return lintRun(opts)
		},
	}
	addOutput(cmd, &opts.Format)
	cmd.Flags().StringArrayVarP(&files, "file", "f", nil, "`PATH` of a file or folder, as plan and run take it; may be repeated")
	cmd.Flags().StringVar(&opts.Kube, "kube-version", lint.KubeVersion, "`VERSION` of Kubernetes to render for")
	return cmd
}

// lintReport is what lint prints as JSON.
type lintReport struct {
	Files       []string              `json:"files"`
	Diagnostics pipelines.Diagnostics `json:"diagnostics"`
	Warnings    pipelines.Diagnostics `json:"warnings"`
}

func lintRun(o *LintOptions) error {
	_, found, err := lintFiles(o.Paths, o.Library, o.Kube)
	if found == nil {
		return err
	}
	printed := o.Format.print(o.Out, *found, func() error {
		return o.text(*found, err == nil)
	})
	return errors.Join(err, printed)
}

// lintFiles says what is wrong with files: the error says that something is, and what was found says what. Where they cannot be read there
// is nothing but the error.
func lintFiles(paths []string, library []pipelines.Source, kube string) (*pipelines.Documents, *lintReport, error) {
	docs, err := engine.LoadDocuments(paths, library)
	found := &lintReport{Files: []string{}, Diagnostics: pipelines.Diagnostics{}, Warnings: pipelines.Diagnostics{}}
	if err != nil && !errors.As(err, &found.Diagnostics) {
		return nil, nil, err
	}
	if docs == nil {
		return nil, found, err
	}
	rendered := lint.Check(docs, lint.Options{KubeVersion: kube})
	judged := policy.Lint(docs)
	found.Files = docs.Files
	found.Warnings = append(found.Warnings, slices.Concat(docs.Warnings, rendered.Warnings, judged.Warnings).Sorted()...)
	if len(rendered.Errors) > 0 {
		err = fault.Wrap(fault.Invalid, rendered.Errors, "cannot render the components of %s", strings.Join(paths, ", "))
	}
	if len(judged.Errors) > 0 {
		undercut := fault.Wrap(fault.Invalid, judged.Errors, "pipelines of %s undercut policies", strings.Join(paths, ", "))
		err = errors.Join(err, undercut)
	}
	found.Diagnostics = append(found.Diagnostics, slices.Concat(rendered.Errors, judged.Errors).Sorted()...)
	return docs, found, err
}

// text prints what is found to people. Errors are printed by whoever gets them returned.
func (o *LintOptions) text(found lintReport, right bool) error {
	for _, w := range found.Warnings {
		if _, err := fmt.Fprintf(shown{o.Err}, "%s: warning: %s\n", w.Position, w.Message); err != nil {
			return err
		}
	}
	if !right {
		return nil
	}
	verdict := api.Counted(len(found.Files), "file") + ": nothing is wrong"
	if n := len(found.Warnings); n > 0 {
		verdict += ", " + api.Counted(n, "warning")
	}
	_, err := fmt.Fprintln(o.Out, verdict)
	return err
}
