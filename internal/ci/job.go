// Package ci knows what build systems tell their jobs, and where jobs say what came of them: GitHub Actions and GitLab CI. It decides
// nothing about plans and runs, and never prints a token.
package ci

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// System is a build system.
type System string

// The build systems that are known. Elsewhere it is None.
const (
	None   System = ""
	GitHub System = "GitHub Actions"
	GitLab System = "GitLab CI"
)

// Job is the job that this program runs in, as its build system says.
type Job struct {
	System     System
	Server     string // where the repository is, as a URL
	API        string // of that server, as a URL
	Repository string // OWNER/NAME, or the path of a project
	Run        string // of the workflow, or the pipeline: it stays where a job is tried again
	URL        string // of that, for people
	Commit     string
	Folder     string // of the checked-out repository
	Summary    string // file of Markdown that the system shows
	Outputs    string // file that later steps or jobs read
	Request    string // number of the pull or merge request; "" where it runs for none

	getenv func(string) string
}

// Of reads the variables of the build system.
func Of(getenv func(string) string) Job {
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		return gitHub(getenv)
	case getenv("GITLAB_CI") == "true":
		return gitLab(getenv)
	}
	return Job{getenv: getenv}
}

func gitHub(getenv func(string) string) Job {
	j := Job{
		System: GitHub, Server: getenv("GITHUB_SERVER_URL"), API: getenv("GITHUB_API_URL"),
		Repository: getenv("GITHUB_REPOSITORY"), Run: getenv("GITHUB_RUN_ID"),
		Commit: getenv("GITHUB_SHA"), Folder: getenv("GITHUB_WORKSPACE"),
		Summary: getenv("GITHUB_STEP_SUMMARY"), Outputs: getenv("GITHUB_OUTPUT"), getenv: getenv,
	}
	if j.Server != "" && j.Repository != "" && j.Run != "" {
		j.URL = j.Server + "/" + j.Repository + "/actions/runs/" + j.Run
	}
	// refs/pull/NUMBER/merge, and no other ref is like it
	if rest, ok := strings.CutPrefix(getenv("GITHUB_REF"), "refs/pull/"); ok {
		j.Request, _, _ = strings.Cut(rest, "/")
	}
	return j
}

// Where a job of GitLab puts what a job of GitHub has files for. Artifacts of the job name them.
const (
	gitLabSummary = "sluice-plan.md"
	gitLabOutputs = "sluice.env"
)

func gitLab(getenv func(string) string) Job {
	return Job{
		System: GitLab, Server: getenv("CI_SERVER_URL"), API: getenv("CI_API_V4_URL"), Repository: getenv("CI_PROJECT_PATH"),
		Run: getenv("CI_PIPELINE_ID"),
		URL: getenv("CI_PIPELINE_URL"), Commit: getenv("CI_COMMIT_SHA"), Folder: getenv("CI_PROJECT_DIR"),
		Summary: gitLabSummary, Outputs: gitLabOutputs, Request: getenv("CI_MERGE_REQUEST_IID"), getenv: getenv,
	}
}

// Key is the name of what a job asks for once, whoever tries it again: it is made of the repository, the run of the workflow, and what is
// asked for. It is "" where no system says which run it is.
func (j Job) Key(about ...string) string {
	if j.System == None || j.Repository == "" || j.Run == "" {
		return ""
	}
	parts, _ := json.Marshal(append([]string{string(j.System), j.Server, j.Repository, j.Run}, about...)) // texts: it cannot fail
	sum := sha256.Sum256(parts)
	return "ci-" + hex.EncodeToString(sum[:16])
}

// Fork reports whether the job runs for a change that comes from a fork. Where that cannot be told, it does not.
func (j Job) Fork() bool {
	if j.System == GitLab {
		from, to := j.getenv("CI_MERGE_REQUEST_SOURCE_PROJECT_ID"), j.getenv("CI_MERGE_REQUEST_PROJECT_ID")
		return from != to && to != ""
	}
	if j.System != GitHub || j.Request == "" {
		return false
	}
	var event struct {
		PullRequest *struct {
			Head struct {
				Repo *struct {
					ID int64 `json:"id"`
				} `json:"repo"` // null where the fork is gone
			} `json:"head"`
		} `json:"pull_request"`
		Repository struct {
			ID int64 `json:"id"`
		} `json:"repository"`
	}
	data, err := readFile(j.getenv("GITHUB_EVENT_PATH"), maxEvent)
	if err != nil || json.Unmarshal(data, &event) != nil || event.PullRequest == nil {
		return false
	}
	head := event.PullRequest.Head.Repo
	return head == nil || head.ID != event.Repository.ID
}

// maxEvent bounds the file that says what a job of GitHub runs for.
const maxEvent = 32 << 20

// readFile reads at most so many bytes of a file.
func readFile(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most))
}

// InRepository is a file as the repository knows it: relative to where it is checked out. One that is elsewhere stays as it is.
func (j Job) InRepository(file string) string {
	if j.Folder == "" {
		return file
	}
	whole, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	within, err := filepath.Rel(j.Folder, whole)
	if err != nil || within == ".." || strings.HasPrefix(within, ".."+string(filepath.Separator)) {
		return file
	}
	return filepath.ToSlash(within)
}
