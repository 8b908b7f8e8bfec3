// Package pki makes the secrets of a cluster: a certificate authority, the API
// server's certificate, the key that signs service account tokens, and one
// bearer token for each user. They are made once and kept.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

// Users of a cluster. All of them may do everything; they have names of their
// own so that the audit log tells who asked.
const (
	Admin             = "sluice-admin"
	Supervisor        = "sluice-local"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Kwok              = "kwok"
	Node              = "node"
)

var users = []string{Admin, Supervisor, ControllerManager, Scheduler, Kwok, Node}

const lifetime = 10 * 365 * 24 * time.Hour

// Secrets are the secret files of a cluster.
type Secrets struct {
	dir    string
	tokens map[string]string
	ca     []byte
}

// CertFile is the API server's certificate.
func (s Secrets) CertFile() string { return filepath.Join(s.dir, "apiserver.crt") }

// KeyFile is the API server's key.
func (s Secrets) KeyFile() string { return filepath.Join(s.dir, "apiserver.key") }

// KubeletClientCertFile is what the API server shows to the process node's kubelet. It is its own authority.
func (s Secrets) KubeletClientCertFile() string { return filepath.Join(s.dir, "kubelet-client.crt") }

// KubeletClientKeyFile is that certificate's key.
func (s Secrets) KubeletClientKeyFile() string { return filepath.Join(s.dir, "kubelet-client.key") }

// ServiceAccountKeyFile signs and verifies service account tokens.
func (s Secrets) ServiceAccountKeyFile() string { return filepath.Join(s.dir, "service-account.key") }

// TokenFile is the API server's table of tokens.
func (s Secrets) TokenFile() string { return filepath.Join(s.dir, "tokens.csv") }

// CA is the PEM certificate that signed the API server's.
func (s Secrets) CA() []byte { return s.ca }

// CAFile is the certificate that signed the API server's.
func (s Secrets) CAFile() string { return filepath.Join(s.dir, "ca.crt") }

// Token is the bearer token of a user.
func (s Secrets) Token(user string) string { return s.tokens[user] }

// Ensure returns the secrets in dir and makes them first if there are none.
func Ensure(dir string) (Secrets, error) {
	s := Secrets{dir: dir, tokens: map[string]string{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return s, fmt.Errorf("cannot make secrets: %w", err)
	}
	// The table of tokens is written last: where it is, everything is.
	if _, err := os.Stat(s.TokenFile()); os.IsNotExist(err) {
		if err := s.create(); err != nil {
			return s, fmt.Errorf("cannot make secrets: %w", err)
		}
	}
	if err := s.load(); err != nil {
		return s, err
	}
	// A folder that an earlier release made lacks what came later.
	if err := s.complete(); err != nil {
		return s, fmt.Errorf("cannot complete secrets: %w", err)
	}
	return s, nil
}

// complete makes the secrets that are missing.
func (s *Secrets) complete() error {
	if _, err := os.Stat(s.KubeletClientCertFile()); os.IsNotExist(err) {
		if err := s.createKubeletClient(); err != nil {
			return err
		}
	}
	missing := false
	for _, user := range users {
		if s.tokens[user] != "" {
			continue
		}
		token, err := NewToken()
		if err != nil {
			return err
		}
		s.tokens[user], missing = token, true
	}
	if !missing {
		return nil
	}
	return s.writeTokens()
}

func (s *Secrets) createKubeletClient() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	client := template("kube-apiserver-kubelet-client")
	client.KeyUsage = x509.KeyUsageDigitalSignature
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	// The certificate is written last: where it is, its key is.
	if err := s.writeKey(s.KubeletClientKeyFile(), key); err != nil {
		return err
	}
	return s.issue(filepath.Base(s.KubeletClientCertFile()), client, client, &key.PublicKey, key)
}

func (s *Secrets) writeTokens() error {
	var table strings.Builder
	for _, user := range users {
		fmt.Fprintf(&table, "%s,%s,%s,system:masters\n", s.tokens[user], user, user)
	}
	return stack.WriteFile(s.TokenFile(), []byte(table.String()))
}

func (s *Secrets) load() error {
	table, err := os.ReadFile(s.TokenFile())
	if err != nil {
		return fmt.Errorf("cannot read tokens: %w", err)
	}
	for line := range strings.Lines(string(table)) {
		if token, rest, ok := strings.Cut(line, ","); ok {
			user, _, _ := strings.Cut(rest, ",")
			s.tokens[user] = token
		}
	}
	if s.ca, err = os.ReadFile(s.CAFile()); err != nil {
		return fmt.Errorf("cannot read certificate authority: %w", err)
	}
	return nil
}

func (s *Secrets) create() error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := template("sluice-local-ca")
	ca.IsCA, ca.BasicConstraintsValid = true, true
	ca.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	if err := s.issue("ca.crt", ca, ca, &caKey.PublicKey, caKey); err != nil {
		return err
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	server := template("kube-apiserver")
	server.KeyUsage = x509.KeyUsageDigitalSignature
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.DNSNames = []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	if err := s.issue("apiserver.crt", server, ca, &serverKey.PublicKey, caKey); err != nil {
		return err
	}
	if err := s.writeKey(s.KeyFile(), serverKey); err != nil {
		return err
	}
	accountKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if err := s.writeKey(s.ServiceAccountKeyFile(), accountKey); err != nil {
		return err
	}
	for _, user := range users {
		if s.tokens[user], err = NewToken(); err != nil {
			return err
		}
	}
	return s.writeTokens()
}

// NewToken returns a random bearer token.
func NewToken() (string, error) {
	raw := make([]byte, 24)
	if _, err := rand.Read(raw); err != nil {
		return "", fmt.Errorf("cannot make token: %w", err)
	}
	return hex.EncodeToString(raw), nil
}

func template(name string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		serial = big.NewInt(time.Now().UnixNano())
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		// A clock that was set back a little must not make it invalid.
		NotBefore: time.Now().Add(-time.Hour),
		NotAfter:  time.Now().Add(lifetime),
	}
}

func (s *Secrets) issue(file string, cert, parent *x509.Certificate, pub *ecdsa.PublicKey, signer *ecdsa.PrivateKey) error {
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, pub, signer)
	if err != nil {
		return err
	}
	return stack.WriteFile(filepath.Join(s.dir, file), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func (s *Secrets) writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return stack.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}
