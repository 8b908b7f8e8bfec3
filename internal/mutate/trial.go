package mutate

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"sluice.dev/sluice/internal/fault"
)

// Seen is what the tests made of a mutation.
type Seen struct {
	By   string // the first test that failed; "" where all passed
	Said string // what the tests printed
}

// Trial runs tests with mistakes in.
type Trial struct {
	Root    string // of the module
	Scratch string // an empty folder
}

// Of runs the tests of a mutation. One that does not compile, or whose text is not found, is an error.
func (t Trial) Of(ctx context.Context, m Mutation) (Seen, error) {
	text, err := m.Apply(t.Root)
	if err != nil {
		return Seen{}, err
	}
	dir, err := os.MkdirTemp(t.Scratch, "")
	if err != nil {
		return Seen{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	mutated, overlay := filepath.Join(dir, filepath.Base(m.File)), filepath.Join(dir, "overlay.json")
	replaced, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(t.Root, m.File): mutated}})
	if err != nil {
		return Seen{}, err
	}
	for path, data := range map[string][]byte{mutated: text, overlay: replaced} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return Seen{}, err
		}
	}
	return t.test(ctx, m.Tests, "-overlay", overlay)
}

// Plain runs tests with no mistake in: what fails then sees nothing.
func (t Trial) Plain(ctx context.Context, tests []string) error {
	seen, err := t.test(ctx, tests)
	if err == nil && seen.By != "" {
		err = fault.New(fault.Invalid, "cannot tell what the tests see: %s fails without any mutation\n%s", seen.By, seen.Said)
	}
	return err
}

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// test runs go test. A mistake may make code wait for ever: what takes ten times as long as the tests do has been seen.
func (t Trial) test(ctx context.Context, packages []string, flags ...string) (Seen, error) {
	args := append([]string{"test", "-vet=off", "-failfast", "-timeout", "3m"}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, packages...)...)
	cmd.Dir = t.Root
	cmd.Env = append(os.Environ(), "SLUICE_LOCAL_BIN=none", "SLUICE_REQUIRE=") // what needs control planes is skipped
	out, err := cmd.CombinedOutput()
	said := string(out)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return Seen{Said: said}, nil
	case !errors.As(err, &exit) || ctx.Err() != nil:
		return Seen{}, fault.Wrap(fault.Internal, err, "cannot run go test")
	case strings.Contains(said, "[build failed]"), strings.Contains(said, "[setup failed]"):
		return Seen{}, fault.New(fault.Invalid, "cannot compile: %s", said)
	}
	by := "a test that does not end, or a panic"
	if found := failed.FindStringSubmatch(said); found != nil {
		by = found[1]
	}
	return Seen{By: by, Said: said}, nil
}
