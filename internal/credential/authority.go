// Package credential makes and checks what the server and its agents know each other by: an authority and its certificates, the invitations
// by which agents come in, and the keys that are derived from one secret. It knows no network, no ledger and no clock.
package credential

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"sluice.dev/sluice/internal/fault"
)

// Names of an authority's files in its folder.
const (
	certFile   = "ca.crt"
	keyFile    = "ca.key"
	masterFile = "master.key"
)

const (
	authorityLives = 10 * 365 * 24 * time.Hour
	// ServerName is whom agents take for the server: the address that they dial may be any load balancer's.
	ServerName = "server.agents.sluice.dev"
	// CertificateLives is how long an agent's certificate counts. It outlives a link that is down for a day by far.
	CertificateLives = 7 * 24 * time.Hour
	// backdated is how far certificates begin before they are made: clocks are apart.
	backdated = time.Hour
	maxFile   = 64 << 10 // bytes
)

// Authority signs the certificates of one installation's server and agents, and has the secret that keys are derived from.
type Authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	master      []byte
}

// NewAuthority writes the files of an authority into a folder, which only its owner can read then. It is fault.Conflict where one is there.
func NewAuthority(dir string, now time.Time) error {
	key, err := NewKey()
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Sluice agents"},
		NotBefore: now.Add(-backdated), NotAfter: now.Add(authorityLives),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot make an authority")
	}
	secret := make([]byte, masterBytes)
	_, _ = rand.Read(secret)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap(fault.Internal, err, "cannot make an authority in %s", dir)
	}
	keyPEM, err := EncodeKey(key)
	if err != nil {
		return err
	}
	// The certificate comes last: without it the others are nobody's.
	for _, f := range []struct {
		name string
		data []byte
	}{
		{masterFile, []byte(base64.StdEncoding.EncodeToString(secret) + "\n")}, {keyFile, keyPEM}, {certFile, encodeCertificate(der)},
	} {
		path := filepath.Join(dir, f.name)
		if f.name == masterFile {
			if _, err := os.Stat(filepath.Join(dir, certFile)); err == nil {
				return fault.New(fault.Conflict, "cannot make an authority in %s: one is there", dir)
			}
		}
		if err := os.WriteFile(path, f.data, 0o600); err != nil {
			return fault.Wrap(fault.Internal, err, "cannot make an authority")
		}
	}
	return nil
}

// ReadAuthority reads one from its folder. It is fault.NotFound where there is none.
func ReadAuthority(dir string) (*Authority, error) {
	read := func(name string) ([]byte, error) {
		f, err := os.Stat(filepath.Join(dir, name))
		if os.IsNotExist(err) {
			return nil, fault.New(fault.NotFound, "cannot find %s in %s; make one with: sluice cluster keys %s", name, dir, dir)
		}
		if err == nil && f.Size() > maxFile {
			err = &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
		}
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "cannot read the authority of agents")
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		return data, fault.Wrap(fault.Invalid, err, "cannot read the authority of agents")
	}
	cert, err := read(certFile)
	if err != nil {
		return nil, err
	}
	key, err := read(keyFile)
	if err != nil {
		return nil, err
	}
	master, err := read(masterFile)
	if err != nil {
		return nil, err
	}
	a := &Authority{}
	if a.certificate, err = decodeCertificate(cert); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot read %s", filepath.Join(dir, certFile))
	}
	if a.key, err = DecodeKey(key); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "cannot read %s", filepath.Join(dir, keyFile))
	}
	public, ok := a.key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(a.certificate.PublicKey) || !a.certificate.IsCA {
		return nil, fault.New(fault.Invalid, "cannot use the authority in %s: %s and %s do not belong together", dir, certFile, keyFile)
	}
	if a.master, err = base64.StdEncoding.DecodeString(string(bytes.TrimSpace(master))); err != nil || len(a.master) != masterBytes {
		return nil, fault.New(fault.Invalid, "cannot use %s: it is not %d bytes in base64", filepath.Join(dir, masterFile), masterBytes)
	}
	return a, nil
}

// Certificate is the authority's own, in PEM.
func (a *Authority) Certificate() []byte { return encodeCertificate(a.certificate.Raw) }

// Pin is what an authority is recognised by, before anybody has its certificate.
func (a *Authority) Pin() string { return pin(a.certificate) }

// Pool is what certificates of the authority are verified by.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// Server makes a certificate of a server, with its key.
func (a *Authority) Server(now time.Time) (tls.Certificate, error) {
	key, err := NewKey()
	if err != nil {
		return tls.Certificate{}, err
	}
	der, _, err := a.sign(key.Public(), now, &x509.Certificate{
		Subject: pkix.Name{CommonName: ServerName}, DNSNames: []string{ServerName}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return tls.Certificate{Certificate: [][]byte{der, a.certificate.Raw}, PrivateKey: key}, err
}

// Agent signs what an agent asks for: a certificate of its name for its key. It returns it in PEM, with its serial number.
func (a *Authority) Agent(name string, request []byte, now time.Time) (certificate []byte, serial string, err error) {
	asked, err := readRequest(request)
	if err != nil {
		return nil, "", err
	}
	der, serial, err := a.sign(asked.PublicKey, now, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return encodeCertificate(der), serial, err
}

func (a *Authority) sign(public crypto.PublicKey, now time.Time, template *x509.Certificate) (der []byte, number string, err error) {
	template.SerialNumber = serial()
	template.NotBefore, template.NotAfter = now.Add(-backdated), now.Add(CertificateLives)
	template.KeyUsage, template.BasicConstraintsValid = x509.KeyUsageDigitalSignature, true
	der, err = x509.CreateCertificate(rand.Reader, template, a.certificate, public, a.key)
	return der, Serial(template), fault.Wrap(fault.Internal, err, "cannot sign a certificate")
}

// Serial is the serial number of a certificate, as it is kept.
func Serial(c *x509.Certificate) string { return c.SerialNumber.Text(16) }

func serial() *big.Int {
	bytes := make([]byte, 16)
	_, _ = rand.Read(bytes)
	bytes[0] = bytes[0]&0x7f | 0x40 // positive, and always as long
	return new(big.Int).SetBytes(bytes)
}

func pin(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// NewKey makes a private key.
func NewKey() (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return key, fault.Wrap(fault.Internal, err, "cannot make a key")
}

// EncodeKey writes a private key as PEM.
func EncodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), fault.Wrap(fault.Internal, err, "cannot write a key")
}

// DecodeKey reads what EncodeKey wrote.
func DecodeKey(data []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fault.New(fault.Invalid, "there is no key in it")
	}
	var key any
	var err error
	switch block.Type {
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "it is no private key")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fault.New(fault.Invalid, "its key cannot sign")
	}
	return signer, nil
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func decodeCertificate(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fault.New(fault.Invalid, "there is no certificate in it")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	return c, fault.Wrap(fault.Invalid, err, "it is no certificate")
}
