package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"testing"
)

func TestEnsureMakesUsableSecretsOnce(t *testing.T) {
	dir := t.TempDir()
	first, err := Ensure(dir)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(first.CertFile(), first.KeyFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(first.CA()) {
		t.Fatal("the authority is no certificate")
	}
	for _, name := range []string{"127.0.0.1", "localhost", "kubernetes.default.svc"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); err != nil {
			t.Errorf("the certificate is not good for %s: %v", name, err)
		}
	}
	seen := map[string]bool{}
	for _, user := range users {
		token := first.Token(user)
		if len(token) < 32 || seen[token] {
			t.Errorf("token of %s is %q: want a long one of its own", user, token)
		}
		seen[token] = true
	}
	key, err := os.ReadFile(first.ServiceAccountKeyFile())
	if err != nil {
		t.Fatal(err)
	}
	if block, _ := pem.Decode(key); block == nil {
		t.Error("the service account key is no PEM")
	}

	second, err := Ensure(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.CA(), second.CA()) || first.Token(Admin) != second.Token(Admin) {
		t.Error("secrets that were there were made anew")
	}
}

func TestEnsureCompletesWhatAnEarlierReleaseMade(t *testing.T) {
	dir := t.TempDir()
	first, err := Ensure(dir)
	if err != nil {
		t.Fatal(err)
	}
	table := first.Token(Admin) + "," + Admin + "," + Admin + ",system:masters\n"
	if err := os.WriteFile(first.TokenFile(), []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(first.KubeletClientCertFile()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		second, err := Ensure(dir)
		if err != nil {
			t.Fatal(err)
		}
		if second.Token(Admin) != first.Token(Admin) || len(second.Token(Node)) < 32 {
			t.Errorf("tokens are %q and %q", second.Token(Admin), second.Token(Node))
		}
		first = second
	}
	pair, err := tls.LoadX509KeyPair(first.KubeletClientCertFile(), first.KubeletClientKeyFile())
	if err != nil {
		t.Fatal(err)
	}
	own := x509.NewCertPool()
	own.AddCert(pair.Leaf)
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: own, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Errorf("the kubelet would not take its client: %v", err)
	}
}
