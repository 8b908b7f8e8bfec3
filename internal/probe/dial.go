package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
)

// MaxAddresses is how many addresses of a name are asked at most.
const MaxAddresses = 50

// TLS is how a target's identity is verified. The zero value goes by the authorities that this machine trusts.
type TLS struct {
	CA         []byte // PEM; the only authorities where it is not empty
	ServerName string // the name that the certificate must be for; "" is the host that is asked
	Insecure   bool   // nothing is verified
}

// config is the settings of a handshake with a host.
func (a *attempt) config(t TLS, host string, protocols ...string) (*tls.Config, error) {
	roots, err := pool(t.CA)
	if err != nil {
		return nil, err
	}
	name := t.ServerName
	if name == "" {
		name = host
	}
	return &tls.Config{
		RootCAs: roots, ServerName: name, InsecureSkipVerify: t.Insecure, NextProtos: protocols, Time: a.clock.Now,
	}, nil
}

// pool is the authorities of a PEM text; nil, which is those of this machine, for an empty one.
func pool(pem []byte) (*x509.CertPool, error) {
	if len(pem) == 0 {
		return nil, nil
	}
	certificates, err := parse(pem)
	if err != nil {
		return nil, senseless("cannot read authorities: %w", err)
	}
	roots := x509.NewCertPool()
	for _, c := range certificates {
		roots.AddCert(c)
	}
	return roots, nil
}

// dial connects to host:port, to whichever of its addresses answers first.
func (a *attempt) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, senseless("%s is no host:port", address)
	}
	a.reach(Resolve)
	d := net.Dialer{Resolver: a.resolver, Control: func(_, resolved string, _ syscall.RawConn) error {
		a.reach(Connect)
		if err := Allowed(resolved); err != nil && !a.reserved {
			return fmt.Errorf("%w, which a probe asks only where it says so", err)
		}
		return nil
	}}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, judged(a.at(), err)
	}
	a.see("address", conn.RemoteAddr().String())
	a.reach(Reply)
	return conn, nil
}

// secure makes a handshake over a connection, and closes the connection where that fails.
func (a *attempt) secure(ctx context.Context, conn net.Conn, config *tls.Config) (*tls.Conn, error) {
	a.reach(TLSLayer)
	over := tls.Client(conn, config)
	if err := over.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, failed(TLSLayer, "%s", plain(err))
	}
	a.reach(Reply)
	return over, nil
}

// Addresses are the addresses of a host, sorted, at most MaxAddresses of them. A result that did not pass says why there are none.
func (p *Prober) Addresses(ctx context.Context, host string) ([]netip.Addr, Result) {
	var found []netip.Addr
	r := p.ask(ctx, host, DefaultWithin, false, func(ctx context.Context, a *attempt) error {
		if literal, err := netip.ParseAddr(host); err == nil {
			found = []netip.Addr{literal}
			return nil
		}
		a.reach(Resolve)
		all, err := p.resolver.LookupNetIP(ctx, "ip", host)
		for _, one := range all {
			found = append(found, one.Unmap())
		}
		return err
	})
	slices.SortFunc(found, netip.Addr.Compare)
	found = slices.Compact(found)
	return found[:min(len(found), MaxAddresses)], r
}
