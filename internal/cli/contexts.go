package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/internal/fault"
)

// Target is a server that somebody asks, under a name.
type Target struct {
	Name      string `json:"name"`
	Server    string `json:"server"`
	CA        string `json:"certificateAuthority,omitempty"` // file of certificates that its own is signed with; default: the system's
	TokenFile string `json:"tokenFile,omitempty"`            // what it is shown; SLUICE_TOKEN goes before
}

// Config is what the command line knows of servers.
type Config struct {
	Current  string   `json:"current,omitempty"`
	Contexts []Target `json:"contexts,omitempty"`
}

// current is the context that is named, else the current one; its server is empty where there is none of that name.
func (c *Config) current(named string) (Target, bool) {
	name := cmp.Or(named, c.Current)
	if name == "" {
		return Target{}, false
	}
	if i := c.index(name); i >= 0 {
		return c.Contexts[i], true
	}
	return Target{Name: name}, true
}

func (c *Config) index(name string) int {
	return slices.IndexFunc(c.Contexts, func(t Target) bool { return t.Name == name })
}

// configPath is the file of the contexts.
func (f *Factory) configPath() string {
	if named := f.Getenv("SLUICE_CONFIG"); named != "" {
		return named
	}
	home := f.Getenv("XDG_CONFIG_HOME")
	if home == "" {
		if home = f.Getenv("HOME"); home == "" {
			return ""
		}
		home = filepath.Join(home, ".config")
	}
	return filepath.Join(home, "sluice", "config.yaml")
}

func (f *Factory) config() (Config, error) {
	var c Config
	at := f.configPath()
	if at == "" {
		return c, nil
	}
	data, err := os.ReadFile(at)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = yaml.UnmarshalStrict(data, &c)
	}
	return c, fault.Wrap(fault.Invalid, err, "cannot read the contexts of %s", at)
}

// save writes the contexts so that whoever reads them meanwhile sees the old ones or the new.
func (f *Factory) save(c Config) error {
	at := f.configPath()
	if at == "" {
		return fault.New(fault.Invalid, "cannot keep contexts: there is no HOME; name a file with SLUICE_CONFIG")
	}
	data, err := yaml.Marshal(c)
	if err == nil {
		err = writeWhole(at, data)
	}
	return fault.Wrap(fault.Internal, err, "cannot keep the contexts in %s", at)
}

// writeWhole replaces a file at once; its owner alone may read it.
func writeWhole(at string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(at), filepath.Base(at)+".*")
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), at)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

func newCmdContext(f *Factory) *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:   "context",
		Short: "List the servers that commands may ask, and choose one",
		Long: `A context is a server under a name, in ~/.config/sluice/config.yaml or the file that SLUICE_CONFIG
names. Commands ask the server of the current one, unless --server, --context, --ledger or --dir say
otherwise, or the state folder is that of a local server.`,
		Example: `  sluice context set prod --server https://sluice.example.org
  sluice context use prod
  sluice context`,
		Args: exactly(),
		RunE: func(*cobra.Command, []string) error {
			c, err := f.config()
			if err != nil {
				return err
			}
			return out.print(f.Out, c, func() error { return f.printContexts(c) })
		},
	}
	addOutput(cmd, &out)
	cmd.AddCommand(newCmdContextSet(f), newCmdContextUse(f), newCmdContextDelete(f))
	return cmd
}

func (f *Factory) printContexts(c Config) error {
	rows := [][]string{{"CURRENT", "NAME", "SERVER"}}
	for _, t := range c.Contexts {
		mark := ""
		if t.Name == c.Current {
			mark = "*"
		}
		rows = append(rows, []string{mark, t.Name, t.Server})
	}
	if len(c.Contexts) == 0 {
		_, err := fmt.Fprintln(f.Out, "there is no context; make one with: sluice context set NAME --server URL")
		return err
	}
	return table(shown{f.Out}, rows)
}

func newCmdContextSet(f *Factory) *cobra.Command {
	var t Target
	cmd := &cobra.Command{
		Use:     "set NAME",
		Short:   "Keep a server under a name, or change one",
		Example: `  sluice context set prod --server https://sluice.example.org --token-file ~/.config/sluice/prod.token`,
		Args:    exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if t.Name = args[0]; t.Server == "" {
				return usage(cmd, "--server is missing")
			}
			for _, file := range []*string{&t.CA, &t.TokenFile} {
				if *file != "" {
					*file = absolute(*file) // it is asked from other folders too
				}
			}
			if _, err := f.server(t); err != nil {
				return err
			}
			c, err := f.config()
			if err != nil {
				return err
			}
			if i := c.index(t.Name); i >= 0 {
				c.Contexts[i] = t
			} else {
				c.Contexts = append(c.Contexts, t)
			}
			c.Current = cmp.Or(c.Current, t.Name)
			return f.saved(c, fmt.Sprintf("context %s asks %s", t.Name, t.Server))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&t.Server, "server", "", "`URL` of the server (needed)")
	flags.StringVar(&t.CA, "ca", "", "`FILE` with the certificates that the server's own is signed with (default: the system's)")
	flags.StringVar(&t.TokenFile, "token-file", "", "`FILE` with the token that the server is shown")
	return cmd
}

func newCmdContextUse(f *Factory) *cobra.Command {
	return &cobra.Command{
		Use:     "use NAME",
		Short:   "Have commands ask the server of a context",
		Example: `  sluice context use prod`,
		Args:    exactly("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := f.config()
			if err != nil {
				return err
			}
			if c.index(args[0]) < 0 {
				return fault.New(fault.NotFound, "cannot find context %s in %s", args[0], f.configPath())
			}
			c.Current = args[0]
			return f.saved(c, "commands ask the server of context "+args[0])
		},
	}
}

func newCmdContextDelete(f *Factory) *cobra.Command {
	return &cobra.Command{
		Use:     "delete NAME",
		Short:   "Forget a context",
		Example: `  sluice context delete prod`,
		Args:    exactly("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := f.config()
			if err != nil {
				return err
			}
			i := c.index(args[0])
			if i < 0 {
				return fault.New(fault.NotFound, "cannot find context %s in %s", args[0], f.configPath())
			}
			if c.Contexts = slices.Delete(c.Contexts, i, i+1); c.Current == args[0] {
				c.Current = ""
			}
			return f.saved(c, "context "+args[0]+" is gone")
		},
	}
}

// saved keeps contexts, and says what is new.
func (f *Factory) saved(c Config, says string) error {
	if err := f.save(c); err != nil {
		return err
	}
	_, err := fmt.Fprintln(shown{f.Out}, says)
	return err
}
