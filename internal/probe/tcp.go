package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"regexp"
	"time"
)

// MaxGreeting is how many bytes of what a TCP port says are looked at.
const MaxGreeting = 64 << 10

// TCP asks whether a port takes connections, and what it says.
type TCP struct {
	Address  string // host:port
	TLS      *TLS   // nil: without TLS
	Send     string // said first
	Expect   *regexp.Regexp
	Within   time.Duration
	Reserved bool // a reserved address may be asked
}

// TCP asks once.
func (p *Prober) TCP(ctx context.Context, q TCP) Result {
	return p.ask(ctx, q.Address, q.Within, q.Reserved, func(ctx context.Context, a *attempt) error {
		conn, err := a.open(ctx, q.Address, q.TLS)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
		if q.Send != "" {
			if _, err := io.WriteString(conn, q.Send); err != nil {
				return err
			}
		}
		if q.Expect == nil {
			return nil
		}
		return listen(conn, q.Expect)
	})
}

// open connects, and secures the connection where that is asked for.
func (a *attempt) open(ctx context.Context, address string, t *TLS) (net.Conn, error) {
	if t == nil {
		return a.dial(ctx, "tcp", address)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, senseless("%s is no host:port", address)
	}
	config, err := a.config(*t, host)
	if err != nil {
		return nil, err
	}
	conn, err := a.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return a.secure(ctx, conn, config)
}

// listen reads until what is expected has been said.
func listen(conn io.Reader, expect *regexp.Regexp) error {
	said := make([]byte, 0, 4096)
	for len(said) < MaxGreeting {
		if len(said) == cap(said) {
			said = append(said, 0)[:len(said)]
		}
		n, err := conn.Read(said[len(said):min(cap(said), MaxGreeting)])
		said = said[:len(said)+n]
		switch {
		case n > 0 && expect.Match(said):
			return nil
		case errors.Is(err, io.EOF):
			return failed(Body, "it closed after %d bytes, and %s is not among them", len(said), expect)
		case err != nil:
			return err
		}
	}
	return unsure(Body, "%s is not among the first %d bytes, and more are not read", expect, MaxGreeting)
}
