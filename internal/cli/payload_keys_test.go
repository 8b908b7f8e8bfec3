package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/cli"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/payload"
)

func TestPayloadKeysAreMade(t *testing.T) {
	f, out := typing()
	if code := cli.Execute(t.Context(), []string{"payload-keys", "new", "--id", "2026-12"}, f); code != fault.ExitDone {
		t.Fatalf("exit code %d: %s", code, out)
	}
	keys, err := payload.Read(out.Bytes())
	if err != nil || strings.Join(keys.IDs(), " ") != "2026-12" {
		t.Errorf("it prints %q: %v, %v", out, keys.IDs(), err)
	}
	out.Reset()
	if code := cli.Execute(t.Context(), []string{"payload-keys", "new", "--id", "a b"}, f); code != fault.ExitInvalid {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// TestPayloadKeysThatCannotBeRead end a server before it opens anything.
func TestPayloadKeysThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"bad": "k: hush\n", "large": strings.Repeat("#", payload.MaxFile+1), "empty": "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, says := range map[string]string{
		"bad": "the key on line 1 is not 32 bytes in base64", "large": "at most 65536 are read", "empty": "there is none", "none": "no such file",
	} {
		for _, by := range []string{"flag", "environment"} {
			f, out := typing()
			f.Serve = noServer(t)
			args, file := []string{"server", "--config", "x", "--tls-cert", "x", "--tls-key", "x"}, filepath.Join(dir, name)
			if by == "flag" {
				args = append(args, "--payload-keys", file)
			} else {
				f.Getenv = func(name string) string { return map[string]string{"SLUICE_PAYLOAD_KEYS": file}[name] }
			}
			code := cli.Execute(t.Context(), args, f)
			if code != fault.ExitInvalid || !strings.Contains(out.String(), says) || !strings.Contains(out.String(), file) ||
				strings.Contains(out.String(), "hush") {
				t.Errorf("%s by %s: exit code %d: %s", name, by, code, out)
			}
		}
	}
}

func noServer(t *testing.T) func(context.Context, cli.ServerRun) error {
	return func(context.Context, cli.ServerRun) error {
		t.Error("it serves")
		return nil
	}
}
