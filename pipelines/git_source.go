package pipelines

import (
	"net/url"
	"strings"
	"time"
)

// GitSource is a repository that is followed: the body and name of a document of the kind Source. What is on its branch is linted; what is
// proposed to it gets a plan where it is reviewed. It moves nothing by itself: a Trigger says what becomes of its commits.
type GitSource struct {
	Metadata Metadata      `json:"metadata"`
	Spec     GitSourceSpec `json:"spec"`
	Position Position      `json:"-"`
}

// GitSourceSpec is the body of a Source. Its submodules are never followed.
type GitSourceSpec struct {
	Description string `json:"description,omitempty" is:"text"`
	// such as https://git.example/team/infra.git or ssh://git@git.example/team/infra.git
	URL    string `json:"url" is:"repository"`
	Branch string `json:"branch" is:"branch"`
	// files and folders in it that are read; default all of it
	Paths       []string        `json:"paths,omitempty" is:"repositoryPath" items:"1..50"`
	Interval    Duration        `json:"interval,omitempty"` // between looks, from 10s to 24h; default 1m
	Credentials *GitCredentials `json:"credentials,omitempty"`
	Forge       *Forge          `json:"forge,omitempty"`  // where changes to it are proposed and reviewed
	Verify      *GitVerify      `json:"verify,omitempty"` // whose commits are believed; default whoever may push
}

// GitCredentials are how a repository is read: a token by https, a key by ssh.
type GitCredentials struct {
	User       string        `json:"user,omitempty" is:"headerValue"` // beside the token; default x-access-token
	Token      *WorkerSecret `json:"token,omitempty"`
	SSHKey     *WorkerSecret `json:"sshKey,omitempty"`     // a private key without a passphrase
	KnownHosts *WorkerSecret `json:"knownHosts,omitempty"` // the keys of the server, needed by ssh
	// among the worker's secrets: PEM of who may have signed the certificate of an https server
	CAFile string `json:"caFile,omitempty" is:"secretFile"`
}

// Forge is where changes to a repository are proposed and reviewed.
type Forge struct {
	Kind ForgeKind `json:"kind"`
	// of an installation of one's own; default that of github.com or gitlab.com
	API        string `json:"api,omitempty" is:"text"`
	Repository string `json:"repository" is:"forgeRepository"` // such as team/infra
	// whose the token is, where the forge does not say: that of a GitHub App is NAME[bot]
	Account string        `json:"account,omitempty" is:"headerValue"`
	Token   *WorkerSecret `json:"token,omitempty"` // that may comment and set statuses; default credentials.token
	// what the forge signs its webhooks with; where it is left out none is taken
	WebhookSecret *WorkerSecret `json:"webhookSecret,omitempty"`
}

// ForgeKind is what a forge speaks.
type ForgeKind string

// The forges.
const (
	GitHub ForgeKind = "github"
	GitLab ForgeKind = "gitlab"
)

func (ForgeKind) values() []string { return []string{string(GitHub), string(GitLab)} }

// GitVerify is whose signature a commit must have.
type GitVerify struct {
	Signers []string `json:"signers" is:"signer" items:"1..100"` // public keys: a line of SSH, or an armored block of GPG
}

// Of a Source that says nothing else, and how far it may go.
const (
	sourceInterval  = time.Minute
	shortestLook    = 10 * time.Second
	longestLook     = 24 * time.Hour
	defaultGitUser  = "x-access-token"
	defaultGitHub   = "https://api.github.com"
	defaultGitLab   = "https://gitlab.com/api/v4"
	armoredGPGBegin = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
)

// Every is how often the repository is looked at.
func (s *GitSourceSpec) Every() time.Duration {
	if s.Interval == 0 {
		return sourceInterval
	}
	return s.Interval.Std()
}

// Endpoint is the address of the forge's API.
func (f *Forge) Endpoint() string {
	switch {
	case f.API != "":
		return strings.TrimRight(f.API, "/")
	case f.Kind == GitLab:
		return defaultGitLab
	}
	return defaultGitHub
}

// Login is the user that stands beside a token.
func (c *GitCredentials) Login() string {
	if c.User == "" {
		return defaultGitUser
	}
	return c.User
}

// OverSSH reports whether a repository's address is one of ssh.
func OverSSH(address string) bool {
	return strings.HasPrefix(address, "ssh://") || !strings.Contains(address, "://")
}

// inTheClear reports whether whoever is on the way to an address may change what comes back. On this machine nobody is.
func inTheClear(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return false
	}
	host := u.Hostname()
	return host != "localhost" && host != "127.0.0.1" && host != "::1"
}

// ArmoredGPG reports whether a signer's key is one of GPG, and not of SSH.
func ArmoredGPG(signer string) bool {
	return strings.HasPrefix(strings.TrimSpace(signer), armoredGPGBegin)
}
