package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"time"
)

// maxCertificates is how many certificates are read of one text.
const maxCertificates = 500

// Certificate asks a TLS endpoint for its certificate.
type Certificate struct {
	Address  string // host:port
	TLS      TLS
	Valid    Valid
	Within   time.Duration
	Reserved bool // a reserved address may be asked
}

// Valid is what a certificate must be.
type Valid struct {
	For   time.Duration    // how much longer it, and all that it rests on, must be valid
	Names []string         // names and addresses that it must be for, each
	Usage x509.ExtKeyUsage // that it, and all that it rests on, must allow; the zero value takes any
}

// Certificate asks an endpoint once.
func (p *Prober) Certificate(ctx context.Context, q Certificate) Result {
	return p.ask(ctx, q.Address, q.Within, q.Reserved, func(ctx context.Context, a *attempt) error {
		host, _, err := net.SplitHostPort(q.Address)
		if err != nil {
			return senseless("%s is no host:port", q.Address)
		}
		config, err := a.config(q.TLS, host)
		if err != nil {
			return err
		}
		// The handshake takes every certificate, and shows it even to those who have none of their own to show in turn: which one
		// it is, and what is wrong with it, is judged below.
		var shown []*x509.Certificate
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(s tls.ConnectionState) error {
			shown = s.PeerCertificates
			return nil
		}
		conn, err := a.dial(ctx, "tcp", q.Address)
		if err != nil {
			return err
		}
		over, err := a.secure(ctx, conn, config)
		switch {
		case err == nil:
			_ = over.Close()
		case len(shown) == 0:
			return err
		}
		a.reach(TLSLayer)
		valid := q.Valid
		if !q.TLS.Insecure {
			valid.Names = append([]string{config.ServerName}, valid.Names...)
		}
		return a.certified(shown, config.RootCAs, q.TLS.Insecure, valid)
	})
}

// Certified looks at the PEM text of a certificate and what it rests on, leaf first, by the name of where it is kept.
func (p *Prober) Certified(where string, text []byte, t TLS, valid Valid) Result {
	return p.ask(context.Background(), where, 0, false, func(_ context.Context, a *attempt) error {
		roots, err := pool(t.CA)
		if err != nil {
			return err
		}
		chain, err := parse(text)
		if err != nil {
			return failed(TLSLayer, "%w", err)
		}
		return a.certified(chain, roots, t.Insecure, valid)
	})
}

// Authorities looks at the PEM text of what is trusted, such as a webhook's caBundle: each certificate must be valid for so long. That
// one is no authority is no fault: one that has signed itself may be trusted as it is.
func (p *Prober) Authorities(where string, text []byte, left time.Duration) Result {
	return p.ask(context.Background(), where, 0, false, func(_ context.Context, a *attempt) error {
		all, err := parse(text)
		if err != nil {
			return failed(TLSLayer, "%w", err)
		}
		return a.lasts(all, left)
	})
}

// certified looks at a chain, leaf first.
func (a *attempt) certified(chain []*x509.Certificate, roots *x509.CertPool, insecure bool, valid Valid) error {
	if len(chain) == 0 {
		return failed(TLSLayer, "no certificate was shown")
	}
	leaf := chain[0]
	a.see("subject", leaf.Subject.String())
	a.see("issuer", leaf.Issuer.String())
	a.see("names", int64(len(leaf.DNSNames)+len(leaf.IPAddresses)))
	a.left(leaf)
	rests := chain
	if !insecure {
		verified, err := a.verify(chain, roots, valid.Usage)
		if err != nil {
			return failed(TLSLayer, "%w", err)
		}
		rests = verified
	}
	for _, name := range valid.Names {
		if err := leaf.VerifyHostname(name); err != nil {
			return failed(TLSLayer, "%w", err)
		}
	}
	return a.lasts(rests, valid.For)
}

// verify returns the chain from the leaf to an authority that lasts longest: which of several a client goes by is its own matter, and
// it finds that one too.
func (a *attempt) verify(chain []*x509.Certificate, roots *x509.CertPool, usage x509.ExtKeyUsage) ([]*x509.Certificate, error) {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	found, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: a.clock.Now(), KeyUsages: []x509.ExtKeyUsage{usage},
	})
	if err != nil {
		return nil, err
	}
	return slices.MaxFunc(found, func(x, y []*x509.Certificate) int { return soonest(x).NotAfter.Compare(soonest(y).NotAfter) }), nil
}

// lasts tests that certificates are valid now, and for so much longer.
func (a *attempt) lasts(all []*x509.Certificate, left time.Duration) error {
	now := a.clock.Now()
	for _, c := range all {
		if now.Before(c.NotBefore) {
			return failed(TLSLayer, "%s is valid from %s only", c.Subject, c.NotBefore.UTC().Format(time.DateOnly))
		}
	}
	first := soonest(all)
	a.left(first)
	switch until := first.NotAfter.UTC().Format(time.DateOnly); {
	case now.After(first.NotAfter):
		return failed(TLSLayer, "%s has expired on %s", first.Subject, until)
	case first.NotAfter.Sub(now) < left:
		return failed(TLSLayer, "%s expires on %s, in less than %d days", first.Subject, until, int(math.Ceil(left.Hours()/24)))
	}
	return nil
}

// left keeps until when a certificate is valid, and how many whole days that is.
func (a *attempt) left(c *x509.Certificate) {
	a.see("notAfter", c.NotAfter.UTC().Format(time.RFC3339))
	a.see("daysLeft", int64(math.Floor(c.NotAfter.Sub(a.clock.Now()).Hours()/24)))
}

func soonest(all []*x509.Certificate) *x509.Certificate {
	return slices.MinFunc(all, func(x, y *x509.Certificate) int { return x.NotAfter.Compare(y.NotAfter) })
}

// parse reads the certificates of a PEM text, at least one. Other things in it are passed over.
func parse(text []byte) (all []*x509.Certificate, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if len(all) == maxCertificates {
			return nil, fmt.Errorf("there are more than %d certificates", maxCertificates)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be read: %w", len(all)+1, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no certificate in it")
	}
	return all, nil
}
