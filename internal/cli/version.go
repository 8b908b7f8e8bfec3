package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

// version is what `sluice version` prints.
type version struct {
	Version string `json:"version"`
	Go      string `json:"go"`
}

// NewCmdVersion prints which Sluice this is.
func NewCmdVersion(f *Factory) *cobra.Command {
	var as format
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print which Sluice this is",
		Example: `  sluice version -o json`,
		Args:    exactly(),
		RunE: func(*cobra.Command, []string) error {
			v := version{Version: or(f.Version), Go: runtime.Version()}
			return as.print(f.Out, v, func() error {
				_, err := fmt.Fprintf(f.Out, "sluice %s (%s)\n", v.Version, v.Go)
				return err
			})
		},
	}
	addOutput(cmd, &as)
	return cmd
}
