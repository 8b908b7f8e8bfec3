package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/newprobe"
)

func newCmdProbeNew(f *Factory) *cobra.Command {
	var o newprobe.Options
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Make the folder of a new probe",
		Long: `Make a folder with a program that looks whether a page can be had, its test, what makes an image of it,
and the component by which clusters run it. A folder in which there is something stays as it is.`,
		Example: `  sluice probe new shop-front --image registry.example/shop-front:1.0`,
		Args:    exactly("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Name = args[0]
			made, err := newprobe.Make(o)
			if err != nil {
				return err
			}
			return printNewProbe(f.Out, made)
		},
	}
	cmd.Flags().StringVar(&o.Folder, "into", "", "`FOLDER` to make (default NAME)")
	cmd.Flags().StringVar(&o.Module, "module", "", "`PATH` of its Go module (default probes.example/NAME)")
	cmd.Flags().StringVar(&o.Image, "image", "", "`IMAGE` that it becomes (default registry.example/NAME:1.0)")
	cmd.Flags().StringVar(&o.Library, "library", "",
		"`FOLDER` with the module "+newprobe.Library+" (default that of the checkout of Sluice around it, else the module itself)")
	return cmd
}

func printNewProbe(w io.Writer, m newprobe.Made) error {
	library := newprobe.Library + " " + newprobe.Version
	if m.Library != "" {
		library = m.Library
	}
	_, err := fmt.Fprintf(w, `made %s: %s
its library is %s

Now:
  main.go        say what it looks at
  make test      run its test
  make try       run it here
  make push      build the image, and push it
  documents      say what it may touch, which clusters run it, and when
  sluice lint    with the fleet; then plan and run it as any component
`, m.Folder, strings.Join(m.Files, ", "), library)
	return fault.Wrap(fault.Internal, err, "cannot print")
}
