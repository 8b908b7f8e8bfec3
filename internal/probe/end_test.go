package probe

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"sluice.dev/sluice/internal/api"
)

func TestWhatAnErrorOfTheNetworkMeans(t *testing.T) {
	dial := func(cause error) error {
		to := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80}
		return &net.OpError{Op: "dial", Net: "tcp", Addr: to, Err: os.NewSyscallError("connect", cause)}
	}
	for _, c := range []struct {
		reason  string
		err     error
		verdict api.Verdict
		layer   Layer
		late    bool
		message string
	}{
		{"nobody listens", dial(syscall.ECONNREFUSED), api.Failed, Connect, false, "cannot connect to 10.0.0.1:80: connection refused"},
		{"nobody is there", dial(syscall.EHOSTUNREACH), api.Failed, Connect, true, "cannot connect to 10.0.0.1:80: no route to host"},
		{"nobody answers", dial(os.ErrDeadlineExceeded), api.Failed, Connect, true, "cannot connect to 10.0.0.1:80: i/o timeout"},
		{"no way from here", dial(syscall.ENETUNREACH), api.Error, Connect, false, "cannot connect to 10.0.0.1:80: network is unreachable"},
		{"our own firewall", dial(syscall.EPERM), api.Error, Connect, false, "cannot connect to 10.0.0.1:80: operation not permitted"},
		{"no files left here", dial(syscall.EMFILE), api.Error, Connect, false, "cannot connect to 10.0.0.1:80: too many open files"},
		{"no ports left here", dial(syscall.EADDRNOTAVAIL), api.Error, Connect, false,
			"cannot connect to 10.0.0.1:80: cannot assign requested address"},
		{"an end that is known stays as it is", errors.Join(unsure(Body, "more")), api.Inconclusive, Body, false, "more"},
		{"a name that is not there", &net.DNSError{Name: "a", Err: "no such host", IsNotFound: true}, api.Failed, Resolve, false,
			"cannot resolve a: no such host"},
		{"the resolver is slow", &net.DNSError{Name: "a", Err: "i/o timeout", IsTimeout: true}, api.Error, Resolve, true,
			"cannot resolve a: i/o timeout"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			got := judged(Connect, c.err)
			if got.verdict != c.verdict || got.layer != c.layer || got.late != c.late || got.Error() != c.message {
				t.Errorf("got %s at %s, late %t: %s", got.verdict, got.layer, got.late, got)
			}
		})
	}
}
