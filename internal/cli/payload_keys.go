package cli

import (
	"cmp"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/payload"
)

// payloadKeysEnv has the file of payload keys where no flag does.
const payloadKeysEnv = "SLUICE_PAYLOAD_KEYS"

// payloads are the keys that payloads are encrypted by; nil where no file is named.
func (f *Factory) payloads() (*payload.Ring, error) {
	file := cmp.Or(f.PayloadKeys, f.Getenv(payloadKeysEnv))
	if file == "" || f.ring != nil {
		return f.ring, nil
	}
	info, err := os.Stat(file)
	if err == nil && info.Size() > payload.MaxFile {
		return nil, fault.New(fault.Invalid, "cannot read payload keys in %s: it has %d bytes, at most %d are read",
			file, info.Size(), payload.MaxFile)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot read payload keys")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot read payload keys")
	}
	f.ring, err = payload.Read(data)
	return f.ring, fault.Wrap(fault.Invalid, err, "cannot use %s", file)
}

func newCmdPayloadKeys(f *Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "payload-keys",
		Short:   "Make keys that encrypt what Temporal keeps of runs",
		Example: `  sluice payload-keys new > payload.keys`,
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var id string
	made := &cobra.Command{
		Use:   "new",
		Short: "Make a key",
		Long: `Make a key and print it, as a line of the file of --payload-keys. Workers, servers and whoever asks the
ledger without a server have the same file, in which the first key encrypts and all decrypt. A key is
changed in three steps: add the new one as the last line everywhere, then move it to the first line
everywhere, and take the old one out when no history has it any more. Whoever loses a key cannot read
what was encrypted by it.`,
		Example: `  sluice payload-keys new > payload.keys
  sluice payload-keys new --id 2026-12`,
		Args: exactly(),
		RunE: func(*cobra.Command, []string) error {
			line, err := payload.NewKey(id)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(f.Out, line)
			return fault.Wrap(fault.Internal, err, "cannot print")
		},
	}
	made.Flags().StringVar(&id, "id", "", "`ID` of the key, which everybody may see (default: random)")
	cmd.AddCommand(made)
	return cmd
}
