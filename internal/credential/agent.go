package credential

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"time"

	"sluice.dev/sluice/internal/fault"
)

// Request asks for a certificate for a key. Who it is for, the authority knows.
func Request(key crypto.Signer) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	request := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	return request, fault.Wrap(fault.Internal, err, "cannot ask for a certificate")
}

// maxRequest bounds a request for a certificate, in bytes.
const maxRequest = 8 << 10

// readRequest reads a request for an elliptic key: strangers ask, and others may be as long to check as somebody likes.
func readRequest(data []byte) (*x509.CertificateRequest, error) {
	if len(data) > maxRequest {
		return nil, fault.New(fault.Invalid, "a certificate request has %d bytes, and may have %d", len(data), maxRequest)
	}
	block, rest := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fault.New(fault.Invalid, "there is no certificate request in it")
	}
	asked, err := x509.ParseCertificateRequest(block.Bytes)
	if err == nil && asked.PublicKeyAlgorithm != x509.ECDSA && asked.PublicKeyAlgorithm != x509.Ed25519 {
		return nil, fault.New(fault.Invalid, "it is for a key of %s, and has to be for an elliptic one", asked.PublicKeyAlgorithm)
	}
	if err == nil {
		err = asked.CheckSignature()
	}
	return asked, fault.Wrap(fault.Invalid, err, "it is no certificate request")
}

// KeyOf names the public key that a request is for.
func KeyOf(request []byte) (string, error) {
	asked, err := readRequest(request)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(asked.RawSubjectPublicKeyInfo)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// Invitation is what an agent comes in with: the secret, and by what it knows the server.
type Invitation struct {
	ID     string
	Secret string
	Pin    string
}

const invitationPrefix = "sluice-agent"

// Invite makes an invitation to the agents of an authority.
func (a *Authority) Invite() Invitation {
	id, secret := make([]byte, 8), make([]byte, 32)
	_, _ = rand.Read(id)
	_, _ = rand.Read(secret)
	return Invitation{ID: encode(id), Secret: encode(secret), Pin: a.Pin()}
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// String is the invitation as people hand it over. It is a secret.
func (i Invitation) String() string {
	return strings.Join([]string{invitationPrefix, i.ID, i.Secret, i.Pin}, ".")
}

// Hash is what is kept of the secret.
func (i Invitation) Hash() [sha256.Size]byte { return sha256.Sum256([]byte(i.Secret)) }

// ReadInvitation reads one as it was handed over.
func ReadInvitation(text string) (Invitation, error) {
	parts := strings.Split(strings.TrimSpace(text), ".")
	if len(text) > 1<<10 || len(parts) != 4 || parts[0] != invitationPrefix || parts[1] == "" || parts[2] == "" || parts[3] == "" {
		return Invitation{}, fault.New(fault.Invalid, "this is no invitation of an agent; make one with: sluice cluster enroll CLUSTER")
	}
	return Invitation{ID: parts[1], Secret: parts[2], Pin: parts[3]}, nil
}

// Leaf reads an agent's certificate.
func Leaf(certificate []byte) (*x509.Certificate, error) { return decodeCertificate(certificate) }

// Dial is how an agent speaks to the server: it shows a certificate, where it has one, and believes the authority of another.
func Dial(authority, certificate []byte, key crypto.Signer) (*tls.Config, error) {
	ca, err := decodeCertificate(authority)
	if err != nil {
		return nil, err
	}
	own, err := decodeCertificate(certificate)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: ServerName, RootCAs: pool,
		Certificates: []tls.Certificate{{Certificate: [][]byte{own.Raw}, PrivateKey: key}},
	}, nil
}

// DialPinned is how an agent speaks to a server of which it knows no more than a pin.
func DialPinned(want string, now func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: ServerName,
		InsecureSkipVerify: true, //nolint:gosec // verified below, by the pin
		VerifyConnection: func(state tls.ConnectionState) error {
			chain := state.PeerCertificates
			if len(chain) != 2 || pin(chain[1]) != want {
				return errors.New("its authority is not the one of the invitation")
			}
			pool := x509.NewCertPool()
			pool.AddCert(chain[1])
			_, err := chain[0].Verify(x509.VerifyOptions{
				DNSName: ServerName, Roots: pool, CurrentTime: now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			})
			return err
		},
	}
}
