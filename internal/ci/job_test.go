package ci_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice.dev/sluice/internal/ci"
)

// environment is a build system's variables.
type environment map[string]string

func (e environment) get(name string) string { return e[name] }

// onGitHub are the variables of a job of GitHub.
func onGitHub() environment {
	return environment{
		"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "shop/infra",
		"GITHUB_RUN_ID": "4711", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_SHA": "0123456789abcdef", "GITHUB_WORKSPACE": "/home/runner/work/infra/infra",
		"GITHUB_REF": "refs/pull/12/merge", "GITHUB_STEP_SUMMARY": "/tmp/summary", "GITHUB_OUTPUT": "/tmp/output",
	}
}

// onGitLab are the variables of a job of GitLab.
func onGitLab() environment {
	return environment{
		"CI": "true", "GITLAB_CI": "true", "CI_SERVER_URL": "https://gitlab.com", "CI_PROJECT_PATH": "shop/infra", "CI_PIPELINE_ID": "815",
		"CI_PIPELINE_URL": "https://gitlab.com/shop/infra/-/pipelines/815", "CI_JOB_ID": "1", "CI_COMMIT_SHA": "0123456789abcdef",
		"CI_PROJECT_DIR": "/builds/shop/infra", "CI_MERGE_REQUEST_IID": "7",
		"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "5", "CI_MERGE_REQUEST_PROJECT_ID": "5",
	}
}

func with(e environment, name, value string) environment {
	e[name] = value
	return e
}

func TestAJobIsWhatItsSystemSays(t *testing.T) {
	for _, c := range []struct {
		reason string
		env    environment
		want   ci.Job
	}{
		{"a person's machine is no job", environment{"CI": "true"}, ci.Job{}},
		{"GitHub Actions", onGitHub(), ci.Job{
			System: ci.GitHub, Server: "https://github.com", Repository: "shop/infra", Run: "4711", URL: "https://github.com/shop/infra/actions/runs/4711",
			Commit: "0123456789abcdef", Folder: "/home/runner/work/infra/infra", Summary: "/tmp/summary", Outputs: "/tmp/output", Request: "12",
		}},
		{"a push has no request", with(onGitHub(), "GITHUB_REF", "refs/heads/pull/12"), ci.Job{
			System: ci.GitHub, Server: "https://github.com", Repository: "shop/infra", Run: "4711", URL: "https://github.com/shop/infra/actions/runs/4711",
			Commit: "0123456789abcdef", Folder: "/home/runner/work/infra/infra", Summary: "/tmp/summary", Outputs: "/tmp/output",
		}},
		{"GitLab CI", onGitLab(), ci.Job{
			System: ci.GitLab, Server: "https://gitlab.com", Repository: "shop/infra", Run: "815", URL: "https://gitlab.com/shop/infra/-/pipelines/815",
			Commit: "0123456789abcdef", Folder: "/builds/shop/infra", Summary: "sluice-plan.md", Outputs: "sluice.env", Request: "7",
		}},
	} {
		if diff := cmp.Diff(c.want, ci.Of(c.env.get), cmpopts.IgnoreUnexported(ci.Job{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.reason, diff)
		}
	}
}

func TestAJobThatIsTriedAgainHasOneKey(t *testing.T) {
	first := ci.Of(onGitHub().get).Key("agent", "3f70")
	if first == "" || len(first) > 200 {
		t.Fatalf("the key is %q", first)
	}
	for _, c := range []struct {
		reason string
		key    string
		same   bool
	}{
		{"another attempt of the same run", ci.Of(with(onGitHub(), "GITHUB_RUN_ATTEMPT", "2").get).Key("agent", "3f70"), true},
		{"another run", ci.Of(with(onGitHub(), "GITHUB_RUN_ID", "4712").get).Key("agent", "3f70"), false},
		{"another repository", ci.Of(with(onGitHub(), "GITHUB_REPOSITORY", "shop/infra4").get).Key("agent", "3f70"), false},
		{"another host of it", ci.Of(with(onGitHub(), "GITHUB_SERVER_URL", "https://git.example").get).Key("agent", "3f70"), false},
		{"another plan", ci.Of(onGitHub().get).Key("agent", "3f71"), false},
		{"what runs together is not the same", ci.Of(onGitHub().get).Key("agent3", "f70"), false},
		{"another system", ci.Of(onGitLab().get).Key("agent", "3f70"), false},
	} {
		if (c.key == first) != c.same {
			t.Errorf("%s: the key is %q, and the first one is %q", c.reason, c.key, first)
		}
	}
	if key := ci.Of(environment{}.get).Key("agent", "3f70"); key != "" {
		t.Errorf("who is in no job has the key %q", key)
	}
}

func TestForks(t *testing.T) {
	event := func(text string) environment {
		path := filepath.Join(t.TempDir(), "event.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return with(onGitHub(), "GITHUB_EVENT_PATH", path)
	}
	for _, c := range []struct {
		reason string
		env    environment
		want   bool
	}{
		{"a branch of the repository", event(`{"pull_request": {"head": {"repo": {"id": 1}}}, "repository": {"id": 1}}`), false},
		{"a fork", event(`{"pull_request": {"head": {"repo": {"id": 2}}}, "repository": {"id": 1}}`), true},
		{"a fork that is gone", event(`{"pull_request": {"head": {"repo": null}}, "repository": {"id": 1}}`), true},
		{"a push", with(event(`{"repository": {"id": 1}}`), "GITHUB_REF", "refs/heads/main"), false},
		{"an event that nobody can read", event(`{`), false},
		{"no event", onGitHub(), false},
		{"a branch of a project", onGitLab(), false},
		{"a fork of a project", with(onGitLab(), "CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "6"), true},
		{"no job", environment{}, false},
	} {
		if got := ci.Of(c.env.get).Fork(); got != c.want {
			t.Errorf("%s: it is a fork's: %v", c.reason, got)
		}
	}
}

func TestFilesAreNamedAsTheRepositoryKnowsThem(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	j := ci.Of(with(onGitHub(), "GITHUB_WORKSPACE", filepath.Dir(dir)).get)
	for file, want := range map[string]string{
		"a/b.yaml":                   filepath.Base(dir) + "/a/b.yaml",
		filepath.Join(dir, "c.yaml"): filepath.Base(dir) + "/c.yaml",
		"../../elsewhere.yaml":       "../../elsewhere.yaml",
	} {
		if got := j.InRepository(file); got != want {
			t.Errorf("%s is %s, want %s", file, got, want)
		}
	}
	if got := ci.Of(environment{}.get).InRepository("a.yaml"); got != "a.yaml" || strings.Contains(got, dir) {
		t.Errorf("in no job it is %s", got)
	}
}
