package git_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/git"
	"sluice.dev/sluice/internal/git/gittest"
)

func TestARepositoryIsReadOverSSH(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		if os.Getenv("SLUICE_REQUIRE") == "all" {
			t.Fatal(err)
		}
		t.Skip("needs ssh-keygen")
	}
	server := gittest.Start(t)
	r := server.Repository("infra")
	first := r.Commit("a", map[string]string{"a": "x", "b/c": "y"})
	want := r.Commit("b", map[string]string{"b/c": "z"})
	file, public := sshSigner(t, "ed25519")
	other, _ := sshSigner(t, "ed25519")
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(public))
	if err != nil {
		t.Fatal(err)
	}
	over, elsewhere := server.OverSSH(key), server.OverSSH(key)
	pem := func(file string) string {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(data)) // as secrets are read
	}
	for _, c := range []struct {
		reason           string
		path, key, known string
		code             fault.Code
		says             string
	}{
		{"her key, at a server that is known", "/infra", pem(file), over.KnownHosts, "", ""},
		{"her key was revoked", "/infra", pem(other), over.KnownHosts, fault.Unauthorized, "does not let us in"},
		{"somebody else answers", "/infra", pem(file), strings.Replace(elsewhere.KnownHosts, elsewhere.Address[10:], "x", 1), fault.Unauthorized, "none of knownHosts"},
		{"there is no such repository", "/other", pem(file), over.KnownHosts, fault.NotFound, "there is no such repository"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			remote, err := git.Dial(git.Repository{
				URL: over.Address + c.path, Branch: "main", Login: git.Login{SSHKey: c.key, KnownHosts: c.known}, Limits: git.Limits{Time: 20 * time.Second},
			})
			if err != nil {
				t.Fatal(err)
			}
			got, err := read(t, remote)
			if fault.CodeOf(err) != c.code || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Fatalf("it is read as %v, %v", got, err)
			}
			if err != nil {
				return
			}
			if on, err := remote.GoesOn(t.Context(), want, first); err != nil || !on || got.Hash != want || len(got.Files) != 2 {
				t.Errorf("it goes on: %v, %v; it is %s with %v", on, err, got.Hash, got.Files)
			}
		})
	}
	if _, err := git.Dial(git.Repository{URL: over.Address + "/infra", Login: git.Login{SSHKey: "no key"}}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a key that is none: %v", err)
	}
}
