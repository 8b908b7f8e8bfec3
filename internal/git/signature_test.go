package git_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"golang.org/x/crypto/ssh"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/git/gittest"
)

// sshSigner makes a key of SSH of a kind; it returns its file and its public line.
func sshSigner(t *testing.T, kind ...string) (file, public string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "key")
	out, err := exec.Command("ssh-keygen", append([]string{"-q", "-N", "", "-C", "ann@example.com", "-f", file, "-t"}, kind...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	line, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return file, string(line)
}

// gpgSigner makes a key of GPG; it returns it, and its public block.
func gpgSigner(t *testing.T) (*openpgp.Entity, string) {
	t.Helper()
	key, err := openpgp.NewEntity("Ann", "", "ann@example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	w, err := armor.Encode(&block, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Serialize(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return key, block.String()
}

// signed pushes a commit as it is, with a signature in its head where there is one.
func signed(t *testing.T, r *gittest.Repository, change func(payload, signature string) string, sign func(payload string) string) {
	t.Helper()
	r.Commit("plain", map[string]string{"a": "x"})
	payload := r.Git("cat-file", "commit", "HEAD") + "\n"
	commit := change(payload, sign(payload))
	hash := r.Pipe(commit, "hash-object", "-t", "commit", "-w", "--stdin", "--literally")
	r.Git("push", "--quiet", "--force", "origin", hash+":refs/heads/main")
}

// inHead puts a signature where git puts it.
func inHead(payload, signature string) string {
	head, message, _ := strings.Cut(payload, "\n\n")
	return head + "\ngpgsig " + strings.ReplaceAll(strings.TrimSpace(signature), "\n", "\n ") + "\n\n" + message
}

func TestACommitIsVerifiedByWhoMaySign(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		if os.Getenv("SLUICE_REQUIRE") == "all" {
			t.Fatal(err)
		}
		t.Skip("needs ssh-keygen")
	}
	server := gittest.Start(t)
	ed, edPublic := sshSigner(t, "ed25519")
	rsa, rsaPublic := sshSigner(t, "rsa", "-b", "2048")
	ec, ecPublic := sshSigner(t, "ecdsa")
	_, other := sshSigner(t, "ed25519")
	gpg, gpgPublic := gpgSigner(t)
	_, otherGPG := gpgSigner(t)
	keygen := func(key, namespace string) func(string) string {
		return func(payload string) string {
			cmd := exec.Command("ssh-keygen", "-Y", "sign", "-n", namespace, "-f", key)
			cmd.Stdin = strings.NewReader(payload)
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			return string(out)
		}
	}
	detached := func(payload string) string {
		var out bytes.Buffer
		if err := openpgp.ArmoredDetachSign(&out, gpg, strings.NewReader(payload), nil); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for i, c := range []struct {
		reason  string
		sign    func(string) string
		change  func(payload, signature string) string
		signers []string
		code    fault.Code
		says    string
	}{
		{"as git does it", keygen(ed, "git"), inHead, []string{other, edPublic}, "", "ssh SHA256:"},
		{"by RSA", keygen(rsa, "git"), inHead, []string{rsaPublic}, "", "ssh SHA256:"},
		{"by ECDSA", keygen(ec, "git"), inHead, []string{ecPublic}, "", "ssh SHA256:"},
		{"by GPG", detached, inHead, []string{edPublic, otherGPG, gpgPublic}, "", fmt.Sprintf("gpg %X", gpg.PrimaryKey.Fingerprint)},
		{"somebody else's key", keygen(ed, "git"), inHead, []string{other, gpgPublic}, fault.Refused, "who is none of the signers"},
		{"somebody else's key of GPG", detached, inHead, []string{edPublic, otherGPG}, fault.Refused, "none of the signers"},
		{"a signature of a file is none of a commit", keygen(ed, "file"), inHead, []string{edPublic}, fault.Refused, `its signature is for "file"`},
		{"nobody has signed it", keygen(ed, "git"), func(p, _ string) string { return p }, []string{edPublic}, fault.Refused, "it is not signed"},
		{"it was changed since", keygen(ed, "git"), func(p, s string) string {
			return strings.Replace(inHead(p, s), "plain", "other", 1)
		}, []string{edPublic}, fault.Refused, "its signature is of something else"},
		{"it was changed since, by GPG", detached, func(p, s string) string {
			return strings.Replace(inHead(p, s), "plain", "other", 1)
		}, []string{gpgPublic}, fault.Refused, "none of the signers"},
		{"its head has more than was signed", keygen(ed, "git"), func(p, s string) string {
			return strings.Replace(inHead(p, s), "\ngpgsig", "\nmergetag x\ngpgsig", 1)
		}, []string{edPublic}, fault.Refused, "its signature is of something else"},
		{"two signatures", keygen(ed, "git"), func(p, s string) string { return inHead(inHead(p, s), s) }, []string{edPublic}, fault.Refused, "it has several"},
		{"a signature in the message is text", keygen(ed, "git"), func(p, s string) string { return p + "\ngpgsig " + s }, []string{edPublic}, fault.Refused, "it is not signed"},
		{"a signature of SHA-1", func(p string) string { return bySHA1(t, rsa, p) }, inHead, []string{rsaPublic}, fault.Refused, "its signature is by SHA-1"},
		{"no signature at all", func(string) string { return "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----" }, inHead, []string{edPublic}, fault.Refused, "cannot be read"},
		{"a signer that is none", keygen(ed, "git"), inHead, []string{"ssh-ed25519 AAAA"}, fault.Invalid, "cannot read a signer"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			r := server.Repository(fmt.Sprint("r", i))
			signed(t, r, c.change, c.sign)
			commit, err := read(t, dial(t, r, nil))
			if err != nil {
				t.Fatal(err)
			}
			by, err := commit.Verify(c.signers)
			if fault.CodeOf(err) != c.code {
				t.Fatalf("it is by %q, %v", by, err)
			}
			if said := by + fmt.Sprint(err); !strings.Contains(said, c.says) {
				t.Errorf("it says %s", said)
			}
		})
	}
}

// bySHA1 signs as nobody should any more.
func bySHA1(t *testing.T, file, payload string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(data)
	if err != nil {
		t.Fatal(err)
	}
	h := crypto.SHA256.New()
	h.Write([]byte(payload))
	signed := append([]byte("SSHSIG"), ssh.Marshal(struct {
		Namespace, Reserved, Hash string
		Digest                    []byte
	}{"git", "", "sha256", h.Sum(nil)})...)
	sig, err := key.Sign(rand.Reader, signed)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: append([]byte("SSHSIG"), ssh.Marshal(struct {
		Version                   uint32
		Key                       []byte
		Namespace, Reserved, Hash string
		Signature                 []byte
	}{1, key.PublicKey().Marshal(), "git", "", "sha256", ssh.Marshal(sig)})...)}))
}
