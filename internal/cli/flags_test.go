package cli_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/cli"
)

// typing is a factory for tests of what flags come to.
func typing() (*cli.Factory, *bytes.Buffer) {
	out := &bytes.Buffer{}
	return &cli.Factory{
		In: strings.NewReader(""), Out: out, Err: out, Dir: ".sluice",
		Who: func() string { return "ann" }, Getenv: func(string) string { return "" },
	}, out
}

func TestPlanFlags(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		args   []string
		paths  []string
		want   map[string]string
		only   []string
		except []string
		why    string
	}{
		"nothing but the component": {
			reason: "the working folder is what is meant", args: []string{"agent"}, paths: []string{"."},
		},
		"all of it": {
			reason: "lists add up, a value may hold an equals sign and a comma",
			args:   []string{"agent", "-f", "a", "-f", "b", "-p", "x=1", "-p", "y=a=b,c", "--only", "c1,c2", "--only", "group:g", "--exclude", "c3", "--reason", "c3 is away"},
			paths:  []string{"a", "b"}, want: map[string]string{"x": "1", "y": "a=b,c"}, only: []string{"c1", "c2", "group:g"},
			except: []string{"c3"}, why: "c3 is away",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := typing()
			var got *cli.PlanOptions
			cmd := cli.NewCmdPlan(f, func(_ context.Context, o *cli.PlanOptions) error { got = o; return nil })
			cmd.SetArgs(c.args)
			if err := cmd.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			r := got.Request
			if r.Component != "agent" || r.By != "ann" || !slices.Equal(r.Paths, c.paths) || !slices.Equal(r.Only, c.only) || !slices.Equal(r.Exclude, c.except) || r.Reason != c.why || len(r.Params) != len(c.want) {
				t.Errorf("%s: %+v", c.reason, r)
			}
			for k, v := range c.want {
				if r.Params[k] != v {
					t.Errorf("param %s is %q, want %q", k, r.Params[k], v)
				}
			}
		})
	}
}

func TestLocalPassesEverythingOn(t *testing.T) {
	f, _ := typing()
	var got []string
	cmd := cli.NewCmdLocal(f, func(_ context.Context, o *cli.LocalOptions) error { got = o.Args; return nil })
	args := []string{"up", "--clusters", "5", "--help", "-o", "json"}
	cmd.SetArgs(args)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, args) {
		t.Errorf("passed on %v, want %v", got, args)
	}
}

func TestDemoFlags(t *testing.T) {
	f, _ := typing()
	var got cli.DemoRun
	f.Demo = func(_ context.Context, r cli.DemoRun) error { got = r; return nil }
	if code := cli.Execute(t.Context(), []string{"demo", "--keep", "--short", "--dir", "elsewhere"}, f); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if !got.Keep || !got.Short || got.Dir != "elsewhere" || got.Report != "out/demo" || got.Examples != "examples" {
		t.Errorf("played with %+v", got)
	}
}
