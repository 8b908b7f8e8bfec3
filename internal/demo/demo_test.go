package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// programs are a folder with programs that stand in for the real ones.
func programs(t *testing.T, local string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "programs"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"sluice": "exit 0", "sluice-local": local, "programs/fixture": "exit 0", "programs/probes": "exit 0",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRunSaysWhatFailed(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	out, state := t.TempDir(), filepath.Join(t.TempDir(), ".sluice")
	var shown bytes.Buffer
	err := Run(context.Background(), Options{
		Bin:      programs(t, `echo "$1" >> `+log+`; [ "$1" = down ] || { echo "no room"; exit 1; }`),
		Examples: examples, Dir: state, Out: out, Prometheus: "true", Stdout: &shown, Stderr: &shown,
	})
	if err == nil || !strings.Contains(err.Error(), "cannot start 5 clusters of 40 nodes and Temporal: sluice-local up ended with exit code 1") {
		t.Errorf("Run() = %v, want an error that names the step", err)
	}
	if !strings.Contains(shown.String(), "no room") {
		t.Errorf("what the program said is not shown:\n%s", shown.String())
	}
	called, _ := os.ReadFile(log)
	if got := strings.Fields(string(called)); len(got) != 2 || got[1] != "down" {
		t.Errorf("sluice-local was called with %v, want up and then down: a start that failed is cleaned up too", got)
	}
	var report Report
	body, readErr := os.ReadFile(filepath.Join(out, "report.json"))
	if readErr != nil || json.Unmarshal(body, &report) != nil || report.AsTold || report.Reason == "" {
		t.Errorf("report = %s (%v), want one that says what did not happen as told", body, readErr)
	}
}

// TestAStackThatIsLeftUpSaysHowToGoOn: what ran beside the play has ended with it, and the checks of metrics of whatever is run there
// afterwards need the Prometheus at the address that their DataSource has.
func TestAStackThatIsLeftUpSaysHowToGoOn(t *testing.T) {
	var shown bytes.Buffer
	p := &play{
		o:          Options{Bin: "bin", Dir: "/somewhere/.sluice", Stdout: &shown},
		prometheus: &process{cmd: exec.Command("prometheus", "--config.file=c", "--web.listen-address=127.0.0.1:9")},
	}
	p.leave()
	for _, line := range []string{"  prometheus --config.file=c --web.listen-address=127.0.0.1:9 &\n", "  bin/sluice server --local &\n", "local down --purge"} {
		if !strings.Contains(shown.String(), line) {
			t.Errorf("it does not say %q:\n%s", line, shown.String())
		}
	}
}

// TestTheAgentIsStartedAnewAsWell: what is done near the clusters is done by it alone.
func TestTheAgentIsStartedAnewAsWell(t *testing.T) {
	var shown bytes.Buffer
	p := &play{
		o:      Options{Bin: "bin", Dir: "/somewhere/.sluice", Stdout: &shown},
		agents: "127.0.0.1:8", agent: &process{cmd: exec.Command("bin/sluice", "agent", "--server", "127.0.0.1:8")},
	}
	p.leave()
	for _, line := range []string{"  bin/sluice server --local --agents 127.0.0.1:8 &\n", "  bin/sluice agent --server 127.0.0.1:8 &\n"} {
		if !strings.Contains(shown.String(), line) {
			t.Errorf("it does not say %q:\n%s", line, shown.String())
		}
	}
}

func TestRunLeavesForeignStateAlone(t *testing.T) {
	state := t.TempDir()
	precious := filepath.Join(state, "ledger.db")
	if err := os.WriteFile(precious, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	err := Run(context.Background(), Options{
		Bin: programs(t, `rm -rf "$4"; exit 1`), Examples: examples, Dir: state, Out: t.TempDir(), Prometheus: "true", Stdout: &shown, Stderr: &shown,
	})
	if err == nil || !strings.Contains(err.Error(), "holds what no demo has made") {
		t.Errorf("Run() = %v, want a refusal", err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Errorf("the state that was there is gone: %v", err)
	}
}

func TestRunNamesAMissingProgram(t *testing.T) {
	for _, name := range []string{"sluice", "sluice-local", "programs/fixture", "programs/probes"} {
		bin := programs(t, "exit 0")
		if err := os.Remove(filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
		err := Run(context.Background(), Options{Bin: bin, Examples: examples, Out: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), name+" (run `make build`") {
			t.Errorf("Run() = %v without %s, want an error that says how to build", err, name)
		}
	}
}

func TestRunNamesTheMissingPackage(t *testing.T) {
	bin, state := programs(t, "exit 1"), filepath.Join(t.TempDir(), ".sluice")
	t.Setenv("PATH", t.TempDir())
	err := Run(context.Background(), Options{Bin: bin, Examples: examples, Dir: state, Out: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "install the package prometheus") {
		t.Errorf("Run() = %v, want an error that names the package", err)
	}
	if _, err := os.Stat(state); err == nil {
		t.Error("it began without Prometheus")
	}
}
