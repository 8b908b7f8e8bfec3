package credential_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sluice.dev/sluice/internal/credential"
	"sluice.dev/sluice/internal/fault"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func authority(t testing.TB) (*credential.Authority, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "agents")
	if err := credential.NewAuthority(dir, noon); err != nil {
		t.Fatal(err)
	}
	a, err := credential.ReadAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	return a, dir
}

func TestAnAuthorityIsReadAsItWasMade(t *testing.T) {
	a, dir := authority(t)
	again, err := credential.ReadAuthority(dir)
	if err != nil || again.Pin() != a.Pin() || !bytes.Equal(again.PayloadKey("eu"), a.PayloadKey("eu")) {
		t.Errorf("it is another one: %v", err)
	}
	if err := credential.NewAuthority(dir, noon); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("one that is there is not made anew: %v", err)
	}
	for _, name := range []string{"ca.crt", "ca.key", "master.key"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s is for its owner alone: %v, %v", name, info.Mode(), err)
		}
	}
	if bytes.Equal(a.PayloadKey("eu"), a.PayloadKey("us")) {
		t.Error("two sites have one key")
	}
}

func TestAuthoritiesThatAreNone(t *testing.T) {
	_, other := authority(t)
	for _, c := range []struct {
		reason, file string
		text         string // what is put in its place; "" for another authority's
		code         fault.Code
	}{
		{"another's key", "ca.key", "", fault.Invalid},
		{"another's certificate", "ca.crt", "", fault.Invalid},
		{"no key", "ca.key", "none", fault.Invalid},
		{"no certificate", "ca.crt", "none", fault.Invalid},
		{"a short secret", "master.key", "c2hvcnQ=", fault.Invalid},
		{"a secret that is no base64", "master.key", "!", fault.Invalid},
		{"a file that is too large", "master.key", string(make([]byte, 65<<10)), fault.Invalid},
	} {
		_, dir := authority(t)
		data := []byte(c.text)
		if c.text == "" {
			var err error
			if data, err = os.ReadFile(filepath.Join(other, c.file)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, c.file), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := credential.ReadAuthority(dir); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", c.reason, err)
		}
	}
	if _, err := credential.ReadAuthority(t.TempDir()); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a folder without one: %v", err)
	}
}

func TestASealIsOfOneSiteAndOneAuthority(t *testing.T) {
	a, _ := authority(t)
	b, _ := authority(t)
	closed := a.Seal().Close("eu", []byte("token"))
	if got, err := a.Seal().Open("eu", closed); err != nil || string(got) != "token" {
		t.Errorf("%q, %v", got, err)
	}
	for reason, open := range map[string]func() ([]byte, error){
		"another site":      func() ([]byte, error) { return a.Seal().Open("us", closed) },
		"another authority": func() ([]byte, error) { return b.Seal().Open("eu", closed) },
		"a part of it":      func() ([]byte, error) { return a.Seal().Open("eu", closed[:len(closed)-1]) },
		"nothing":           func() ([]byte, error) { return a.Seal().Open("eu", nil) },
	} {
		if got, err := open(); fault.CodeOf(err) != fault.Unauthorized {
			t.Errorf("%s: %q, %v", reason, got, err)
		}
	}
	if bytes.Equal(closed, a.Seal().Close("eu", []byte("token"))) {
		t.Error("it looks the same twice")
	}
}

func TestCertificatesAreForOnePurpose(t *testing.T) {
	a, _ := authority(t)
	key, err := credential.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	request, err := credential.Request(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, serial, err := a.Agent("eu", request, noon)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := credential.Leaf(certificate)
	if err != nil {
		t.Fatal(err)
	}
	if leaf.Subject.CommonName != "eu" || credential.Serial(leaf) != serial || leaf.IsCA || len(leaf.DNSNames) > 0 {
		t.Errorf("%+v", leaf.Subject)
	}
	if err := leaf.VerifyHostname(credential.ServerName); err == nil {
		t.Error("an agent can pass for the server")
	}
	if before, after := noon.Sub(leaf.NotBefore), leaf.NotAfter.Sub(noon); before < 10*time.Minute || after != credential.CertificateLives {
		t.Errorf("it begins %s before, and lives for %s", before, after)
	}
}

func FuzzReadInvitation(f *testing.F) {
	a, _ := authority(f)
	f.Add(a.Invite().String())
	f.Add("sluice-agent...")
	f.Add("sluice-agent.a.b.c.d")
	f.Fuzz(func(t *testing.T, text string) {
		i, err := credential.ReadInvitation(text)
		if err != nil {
			return
		}
		if again, err := credential.ReadInvitation(i.String()); err != nil || again != i {
			t.Errorf("%q is read as %+v, and that as %+v (%v)", text, i, again, err)
		}
	})
}

func FuzzRequest(f *testing.F) {
	a, _ := authority(f)
	key, err := credential.NewKey()
	if err != nil {
		f.Fatal(err)
	}
	request, err := credential.Request(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(request)
	f.Fuzz(func(t *testing.T, data []byte) {
		_, named := credential.KeyOf(data)
		_, _, signed := a.Agent("eu", data, noon)
		if named == nil && signed != nil && fault.CodeOf(signed) != fault.Invalid {
			t.Errorf("%v", signed)
		}
		if named != nil && signed == nil {
			t.Error("a key that nobody can name is signed")
		}
	})
}
