package engine_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
)

// environ is an environment of its own.
type environ map[string]string

func (e environ) LookupEnv(name string) (string, bool) { v, ok := e[name]; return v, ok }
func (e environ) Environ() []string {
	var all []string
	for k, v := range e {
		all = append(all, k+"="+v)
	}
	return all
}

// nobody returns an address at which nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestDialSaysWhichAddressWasTriedAndWhereItCameFrom(t *testing.T) {
	address := nobody(t)
	profile := filepath.Join(t.TempDir(), "temporal.toml")
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(profile, "[profile.default]\naddress = \""+address+"\"\n[profile.prod]\naddress = \""+address+"\"\n")
	stack := t.TempDir()
	write(filepath.Join(stack, "stack.json"), `{"temporal": {"address": "`+address+`", "namespace": "local", "ui": "http://ui"}}`)
	none := filepath.Join(t.TempDir(), "none.toml")

	for name, c := range map[string]struct {
		reason  string
		options engine.DialOptions
		words   []string
	}{
		"a flag": {
			reason:  "a flag is nearest",
			options: engine.DialOptions{Address: address, Env: environ{"TEMPORAL_ADDRESS": "other:1", "TEMPORAL_CONFIG_FILE": none}},
			words:   []string{address, "from --address"},
		},
		"the environment": {
			reason:  "as Temporal's own command line",
			options: engine.DialOptions{Env: environ{"TEMPORAL_ADDRESS": address, "TEMPORAL_CONFIG_FILE": profile}, Dir: stack},
			words:   []string{address, "from TEMPORAL_ADDRESS"},
		},
		"a profile": {
			reason:  "as Temporal's own command line",
			options: engine.DialOptions{Env: environ{"TEMPORAL_PROFILE": "prod", "TEMPORAL_CONFIG_FILE": profile}, Dir: stack},
			words:   []string{address, "from profile prod of " + profile},
		},
		"the local stack": {
			reason:  "people who named no server mean the one that they have started",
			options: engine.DialOptions{Env: environ{"TEMPORAL_CONFIG_FILE": none}, Dir: stack},
			words:   []string{address, "from the local stack in " + stack},
		},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			_, err := engine.Dial(t.Context(), c.options)
			wants(t, err, fault.Unreachable, append(c.words, "sluice local up", "TEMPORAL_ADDRESS")...)
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s to say so", took)
			}
		})
	}
}

func TestDialUnknownProfile(t *testing.T) {
	_, err := engine.Dial(t.Context(), engine.DialOptions{Env: environ{"TEMPORAL_PROFILE": "nope", "TEMPORAL_CONFIG_FILE": filepath.Join(t.TempDir(), "none.toml")}})
	wants(t, err, fault.Invalid, "nope")
}

func TestReadStack(t *testing.T) {
	dir := t.TempDir()
	if s, err := engine.ReadStack(dir); err != nil || s != (engine.Stack{}) {
		t.Errorf("without a stack: %+v, %v; want nothing", s, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "stack.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.ReadStack(dir); fault.CodeOf(err) != fault.Internal {
		t.Errorf("a broken file: %v", err)
	}
}
