package server

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
)

// lookedAt is how often the files of a certificate are looked at.
const lookedAt = 10 * time.Second

// Certificate is the server's own, as its files have it now: one that is renewed needs no restart.
type Certificate struct {
	cert, key string
	clock     clock.PassiveClock
	log       *slog.Logger

	mu     sync.Mutex
	now    *tls.Certificate
	leaf   *x509.Certificate
	at     time.Time // of the file
	looked time.Time
}

// OpenCertificate reads a certificate and its key. It is fault.Invalid where they are none, or it is over.
func OpenCertificate(cert, key string, c clock.PassiveClock, log *slog.Logger) (*Certificate, error) {
	of := &Certificate{cert: cert, key: key, clock: c, log: log}
	if err := of.read(); err != nil {
		return nil, err
	}
	if now := c.Now(); now.After(of.leaf.NotAfter) {
		return nil, fault.New(fault.Invalid, "cannot serve with certificate %s: it is over since %s",
			cert, of.leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return of, nil
}

// Leaf is the certificate as its file has it now.
func (c *Certificate) Leaf() *x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	return c.leaf
}

func (c *Certificate) read() error {
	info, err := os.Stat(c.cert)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot read the server's certificate")
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot read the server's certificate")
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot read the server's certificate")
	}
	c.now, c.leaf, c.at = &pair, leaf, info.ModTime()
	return nil
}

// get is the certificate for a connection.
func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	return c.now, nil
}

// look reads the files again where they have changed. Those that cannot be read keep what was read last.
func (c *Certificate) look() {
	if now := c.clock.Now(); now.Sub(c.looked) >= lookedAt {
		c.looked = now
		info, err := os.Stat(c.cert)
		if err == nil && !info.ModTime().Equal(c.at) {
			err = c.read()
		}
		if err != nil {
			c.log.Error("cannot read the server's certificate again; the one that was read last stands", "error", err)
		}
		if now.After(c.leaf.NotAfter) {
			c.log.Error("the server's certificate is over", "since", c.leaf.NotAfter)
		}
	}
}

// TLS is how a server speaks to whoever asks: version 1.3 alone, and certificates of machines where their CAs are known.
func TLS(c *Certificate, machines *x509.CertPool) *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: c.get, NextProtos: []string{"http/1.1"}}
	if machines != nil {
		t.ClientCAs, t.ClientAuth = machines, tls.VerifyClientCertIfGiven
	}
	return t
}
