package cli_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"sluice.dev/sluice/internal/api"
)

// shipped is what people take over into their build systems.
var shipped = func() string {
	path, err := filepath.Abs("../../deploy/ci")
	if err != nil {
		panic(err)
	}
	return path
}()

// program is the command line as a program of its own.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sluice")
	whole, err := filepath.Abs(os.Args[0])
	if err == nil {
		err = os.Symlink(whole, path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// read YAML into a value.
func readYAML(t *testing.T, path string, into ...any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for _, v := range into {
		if err := dec.Decode(v); err != nil {
			t.Fatal(err)
		}
	}
}

type action struct {
	Inputs map[string]struct {
		Default string `yaml:"default"`
	} `yaml:"inputs"`
	Outputs map[string]struct {
		Value string `yaml:"value"`
	} `yaml:"outputs"`
	Runs struct {
		Using string `yaml:"using"`
		Steps []struct {
			ID     string            `yaml:"id"`
			If     string            `yaml:"if"`
			Shell  string            `yaml:"shell"`
			Folder string            `yaml:"working-directory"`
			Env    map[string]string `yaml:"env"`
			Run    string            `yaml:"run"`
		} `yaml:"steps"`
	} `yaml:"runs"`
}

var expression = regexp.MustCompile(`\$\{\{ ([a-z0-9.-]+) \}\}`)

// ran is what came of a job.
type ran struct {
	log     string
	code    int
	outputs map[string]string
}

// gitHubJob runs the action in a folder as a runner of GitHub does: with the shell that it documents, and with its variables.
func gitHubJob(ctx context.Context, t *testing.T, dir string, env, inputs map[string]string, begun func(*exec.Cmd)) ran {
	t.Helper()
	var a action
	readYAML(t, filepath.Join(shipped, "github/action.yml"), &a)
	known := map[string]string{}
	for name, in := range a.Inputs {
		known["inputs."+name] = in.Default
	}
	for name, value := range inputs {
		if _, ok := known["inputs."+name]; !ok {
			t.Fatalf("the action has no input %s", name)
		}
		known["inputs."+name] = value
	}
	fill := func(text string) string {
		return expression.ReplaceAllStringFunc(text, func(m string) string { return known[expression.FindStringSubmatch(m)[1]] })
	}
	var got ran
	for _, step := range a.Runs.Steps {
		if step.Shell != "bash" {
			t.Fatalf("a step has the shell %q", step.Shell)
		}
		switch {
		case step.If == "":
		case step.If == "inputs.url != ''":
			if known["inputs.url"] == "" {
				continue
			}
		default:
			t.Fatalf("nobody here knows what %q means", step.If)
		}
		script, outputs := filepath.Join(t.TempDir(), "step.sh"), filepath.Join(t.TempDir(), "outputs")
		if err := os.WriteFile(script, []byte(step.Run), 0o600); err != nil {
			t.Fatal(err)
		}
		vars := maps.Clone(env)
		vars["GITHUB_OUTPUT"] = outputs
		for name, value := range step.Env {
			vars[name] = fill(value)
		}
		cmd := exec.CommandContext(ctx, "bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script)
		cmd.Dir = filepath.Join(dir, fill(step.Folder))
		got.log, got.code = runs(t, cmd, vars, begun)
		if step.ID != "" {
			for name := range a.Outputs {
				known["steps."+step.ID+".outputs."+name] = output(t, outputs, name)
			}
		}
		if got.code != 0 {
			break
		}
	}
	got.outputs = map[string]string{}
	for name, out := range a.Outputs {
		got.outputs[name] = fill(out.Value)
	}
	return got
}

// runs runs a command with nothing but these variables, and returns what it prints and its exit code.
func runs(t *testing.T, cmd *exec.Cmd, vars map[string]string, begun func(*exec.Cmd)) (string, int) {
	t.Helper()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	for name, value := range vars {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if begun != nil {
		begun(cmd)
	}
	_ = cmd.Wait()
	return log.String(), cmd.ProcessState.ExitCode()
}

// gitHubVariables are those of a job in a folder that a forge vouches for.
func (s *session) gitHubVariables(f *forge) map[string]string {
	s.t.Helper()
	s.onGitHub()
	s.env["ACTIONS_ID_TOKEN_REQUEST_URL"], s.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = f.tokens, "of the job"
	s.env["RUNNER_TEMP"] = s.t.TempDir()
	return s.env
}

func TestTheActionPlansAndRuns(t *testing.T) {
	s := changing(t, api.PhaseMoving, api.PhaseMoving, api.PhaseSucceeded)
	f := s.trusted("https://sluice.example.org")
	env, sluice := s.gitHubVariables(f), program(t)
	const audience = "\n--audience=https://sluice.example.org\n"
	inputs := map[string]string{"server": f.server, "sluice": sluice, "arguments": "\n.\n\n--component=agent" + audience}
	planned := gitHubJob(t.Context(), t, s.files, env, inputs, nil)
	if planned.code != 0 || planned.outputs["verdict"] != "ready" || len(planned.outputs["plan"]) != 64 || planned.outputs["plans"] != "agent="+planned.outputs["plan"] {
		t.Fatalf("exit code %d, outputs %v:\n%s", planned.code, planned.outputs, planned.log)
	}
	inputs["command"], inputs["arguments"] = "run", "--plan="+planned.outputs["plan"]+audience+"--junit="+filepath.Join(t.TempDir(), "it's $HOME.xml")
	for attempt := range 2 {
		got := gitHubJob(t.Context(), t, s.files, env, inputs, nil)
		if got.code != 0 || got.outputs["run"] != "agent-1" || got.outputs["phase"] != "Succeeded" || len(s.began()) != 1 {
			t.Errorf("attempt %d: exit code %d, outputs %v:\n%s", attempt+1, got.code, got.outputs, got.log)
		}
		f.untold(t, got.log+read(t, env["GITHUB_STEP_SUMMARY"]))
	}
	if got := read(t, env["GITHUB_STEP_SUMMARY"]); !strings.Contains(got, "This plan can run.") || !strings.Contains(got, "### Run `agent-1` of `agent` `1.0.0`: `Succeeded`") {
		t.Errorf("the summary is\n%s", got)
	}
	s.writes("wrong.yaml", "apiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {}\n")
	inputs["command"], inputs["arguments"] = "plan", "."
	wrong := gitHubJob(t.Context(), t, s.files, env, inputs, nil)
	if wrong.code != 2 || wrong.outputs["verdict"] != "invalid" || !strings.Contains(wrong.log, "::error file=wrong.yaml,line=1,col=1::spec is missing\n") {
		t.Errorf("a file that is wrong: exit code %d, outputs %v:\n%s", wrong.code, wrong.outputs, wrong.log)
	}
}

// TestAJobOfTheActionIsCancelled sends the signal that GitHub sends, to the process that it sends it to.
func TestAJobOfTheActionIsCancelled(t *testing.T) {
	s := changing(t, api.PhaseMoving)
	f := s.trusted("https://sluice.example.org")
	env := s.gitHubVariables(f)
	var sent time.Time
	got := gitHubJob(t.Context(), t, s.files, env, map[string]string{
		"server": f.server, "sluice": program(t), "command": "run",
		"arguments": ".\n--component=agent\n--audience=https://sluice.example.org\n--cancel-with=pause",
	}, func(cmd *exec.Cmd) {
		for range 400 {
			if time.Sleep(25 * time.Millisecond); len(s.began()) > 0 {
				break
			}
		}
		time.Sleep(200 * time.Millisecond)
		sent = time.Now()
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
	})
	if took := time.Since(sent); got.code != 3 || took > 7*time.Second || !strings.Contains(got.log, "the job was cancelled, and told run agent-1 to pause") {
		t.Errorf("exit code %d, after %s:\n%s", got.code, took, got.log)
	}
	if len(s.server.told) != 1 || got.outputs["run"] != "agent-1" {
		t.Errorf("the run was told %d things; the outputs are %v", len(s.server.told), got.outputs)
	}
}

// download serves a program, and says by which certificate and checksum.
func download(t *testing.T) (url, certificate, sum string) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("SLUICE_REQUIRE") == "all" {
			t.Fatal("there is no curl")
		}
		t.Skip("there is no curl")
	}
	body := []byte("#!/bin/sh\nexec '" + program(t) + "' \"$@\"\n")
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }))
	t.Cleanup(web.Close)
	certificate = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	if err := os.WriteFile(certificate, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return web.URL + "/sluice", certificate, fmt.Sprintf("%x", sha256.Sum256(body))
}

func TestTheProgramIsLoadedByItsChecksum(t *testing.T) {
	url, certificate, sum := download(t)
	other := strings.Repeat("0", 64)
	for _, c := range []struct {
		reason, url, sum, certificate string
		code                          int
		says                          string
	}{
		{"it is as it should be", url, sum, certificate, 2, "::error file=wrong.yaml,line=1,col=1::spec is missing"},
		{"it is something else", url, other, certificate, 1, "what was loaded has the checksum " + sum + ", and not " + other},
		{"nobody has said what it should be", url, "", certificate, 2, "the input sha256 has to be 64 hexadecimal digits"},
		{"a checksum that is none", url, "*", certificate, 2, "the input sha256 has to be 64 hexadecimal digits"},
		{"an address in the clear", strings.Replace(url, "https:", "http:", 1), sum, certificate, 2, "the input url has to begin with https://"},
		{"an address that is an option", "--config=x", sum, certificate, 2, "the input url has to begin with https://"},
		{"a server that nobody knows", url, sum, os.DevNull, -1, "curl: "},
	} {
		for system, job := range map[string]func(*session, map[string]string) ran{
			"GitHub": func(s *session, inputs map[string]string) ran {
				s.onGitHub()
				s.env["RUNNER_TEMP"], s.env["CURL_CA_BUNDLE"] = t.TempDir(), c.certificate
				return gitHubJob(t.Context(), t, s.files, s.env, inputs, nil)
			},
			"GitLab": func(s *session, inputs map[string]string) ran {
				s.onGitLab()
				s.env["CURL_CA_BUNDLE"] = c.certificate
				inputs["server"] = "https://sluice.example.org"
				return gitLabJob(t, s.files, s.env, inputs)
			},
		} {
			s := newSession(t)
			s.writes("wrong.yaml", "apiVersion: sluice.dev/v1alpha1\nkind: Cluster\nmetadata: {}\n")
			got := job(s, map[string]string{"url": c.url, "sha256": c.sum})
			says := c.says
			if system == "GitLab" && strings.HasPrefix(says, "::error") {
				says = "wrong.yaml:1:1: spec is missing"
			}
			if got.code != c.code && (c.code >= 0 || got.code == 0) || !strings.Contains(got.log, says) {
				t.Errorf("%s, on %s: exit code %d, want %d and %q:\n%s", c.reason, system, got.code, c.code, says, got.log)
			}
		}
	}
}

// gitLabJob runs the component's job in a folder, as a runner of GitLab does, and reads its dotenv report.
func gitLabJob(t *testing.T, dir string, env, inputs map[string]string) ran {
	t.Helper()
	var head struct {
		Spec struct {
			Inputs map[string]struct {
				Default *string `yaml:"default"`
			} `yaml:"inputs"`
		} `yaml:"spec"`
	}
	type job struct {
		Tokens    map[string]map[string]string `yaml:"id_tokens"`
		Script    []string                     `yaml:"script"`
		Artifacts struct {
			Paths   []string          `yaml:"paths"`
			Reports map[string]string `yaml:"reports"`
		} `yaml:"artifacts"`
	}
	var body map[string]job
	readYAML(t, filepath.Join(shipped, "gitlab/templates/sluice.yml"), &head, &body)
	j, ok := body["$[[ inputs.job ]]"]
	if !ok || len(j.Script) != 1 || len(body) != 1 {
		t.Fatalf("the component has %d jobs", len(body))
	}
	fill := regexp.MustCompile(`\$\[\[ inputs\.([a-z0-9-]+) \]\]`)
	interpolate := func(text string) string {
		return fill.ReplaceAllStringFunc(text, func(m string) string {
			name := fill.FindStringSubmatch(m)[1]
			if value, given := inputs[name]; given {
				return value
			}
			if head.Spec.Inputs[name].Default == nil {
				t.Fatalf("the component needs the input %s", name)
			}
			return *head.Spec.Inputs[name].Default
		})
	}
	vars := maps.Clone(env)
	vars["CI_PROJECT_DIR"] = dir
	// Whoever starts a pipeline may give it variables: they change nothing.
	for _, name := range []string{"SLUICE_URL", "SLUICE_PROGRAM", "SLUICE_SERVER", "url", "program", "server", "sha256", "arguments", "command"} {
		vars[name] = "https://evil.example"
	}
	if len(j.Tokens) != 1 || interpolate(j.Tokens["SLUICE_ID_TOKEN"]["aud"]) != inputs["server"] {
		t.Errorf("the job has the tokens %v", j.Tokens)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", interpolate(j.Script[0]))
	cmd.Dir = dir
	var got ran
	got.log, got.code = runs(t, cmd, vars, nil)
	if !slices.Equal(j.Artifacts.Paths, []string{"sluice-plan.md"}) || j.Artifacts.Reports["dotenv"] != "sluice.env" || j.Artifacts.Reports["junit"] != "sluice-junit.xml" {
		t.Errorf("the artifacts are %+v", j.Artifacts)
	}
	got.outputs = map[string]string{}
	for line := range strings.Lines(read(t, filepath.Join(dir, "sluice.env"))) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		got.outputs[name] = value
	}
	return got
}

func TestTheComponentPlansAndRuns(t *testing.T) {
	s := changing(t, api.PhaseMoving, api.PhaseMoving, api.PhaseSucceeded)
	f := s.trusted("https://sluice.example.org")
	s.onGitLab()
	s.env["SLUICE_ID_TOKEN"] = f.token("https://sluice.example.org")
	dir := filepath.Join(t.TempDir(), "it's $HOME") // what jobs write is no document
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	inputs := map[string]string{"server": f.server, "sluice": program(t), "arguments": s.files + "\n\n--component=agent\n"}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	err := errors.Join(os.WriteFile(filepath.Join(dir, "sluice.env"), []byte("LD_PRELOAD=./evil.so\n"), 0o600), os.Symlink(elsewhere, filepath.Join(dir, "sluice-plan.md")))
	if err != nil {
		t.Fatal(err)
	}
	planned := gitLabJob(t, dir, s.env, inputs)
	if _, err := os.Stat(elsewhere); err == nil || planned.outputs["LD_PRELOAD"] != "" {
		t.Errorf("what the repository has goes on as what the job says: %v, %v", planned.outputs, err)
	}
	if planned.code != 0 || planned.outputs["SLUICE_VERDICT"] != "ready" || len(planned.outputs["SLUICE_PLAN"]) != 64 {
		t.Fatalf("exit code %d, outputs %v:\n%s", planned.code, planned.outputs, planned.log)
	}
	// A later job has the report of the one that it needs as variables.
	maps.Copy(s.env, planned.outputs)
	inputs["command"], inputs["arguments"] = "run", "--timeout=1m"
	got := gitLabJob(t, dir, s.env, inputs)
	if got.code != 0 || got.outputs["SLUICE_RUN"] != "agent-1" || got.outputs["SLUICE_PHASE"] != "Succeeded" {
		t.Errorf("exit code %d, outputs %v:\n%s", got.code, got.outputs, got.log)
	}
	summary, junit := read(t, filepath.Join(dir, "sluice-plan.md")), read(t, filepath.Join(dir, "sluice-junit.xml"))
	if !strings.Contains(summary, "### Run `agent-1`") || !strings.Contains(junit, `<testcase classname="sluice.agent.all" name="prod/c1"`) {
		t.Errorf("the summary is\n%s\nthe report is\n%s", summary, junit)
	}
	f.untold(t, planned.log+got.log+summary+junit)
}

func TestTheActionProposesAVersion(t *testing.T) {
	s := newSession(t)
	s.writes("other.yaml", withImages)
	bare := s.checkedOut()
	s.onGitHub()
	s.env["RUNNER_TEMP"] = t.TempDir()
	got := gitHubJob(t.Context(), t, s.files, s.env, map[string]string{
		"sluice": program(t), "command": "version", "arguments": "other\n--image=main=r.example/other:2.1.0" + built,
	}, nil)
	if got.code != 0 || got.outputs["changed"] != "true" || got.outputs["commit"] != git(t, bare, "rev-parse", "sluice/other-2.1.0") {
		t.Errorf("exit code %d, outputs %v:\n%s", got.code, got.outputs, got.log)
	}
}
