package probe_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probe"
)

// How long a probe waits: for what does not answer, short; for what does, as long as a busy machine may need.
const (
	short = 300 * time.Millisecond
	ample = 20 * time.Second
)

// prober resolves names by a name server of the test's own, which knows few.
func prober(t *testing.T) *probe.Prober {
	t.Helper()
	server := names(t, zone{
		"up.test A":      {"127.0.0.1"},
		"meta.test A":    {"169.254.169.254"},
		"both.test A":    {"127.0.0.1", "127.0.0.2"},
		"both.test AAAA": {"::1"},
	})
	return probe.New(clock.RealClock{}, resolving(server))
}

func resolving(server string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server)
	}}
}

// want is how a probe must end.
type want struct {
	verdict api.Verdict
	layer   probe.Layer
	message string // part of the message
	late    bool
}

// within is how long the probe waits for that.
func (w want) within() time.Duration {
	if w.late {
		return short
	}
	return ample
}

func (w want) test(t *testing.T, got probe.Result) {
	t.Helper()
	if got.Verdict != w.verdict || got.Layer != w.layer || got.Late != w.late {
		t.Errorf("got %s at %q, late %t, want %s at %q, late %t: %s", got.Verdict, got.Layer, got.Late, w.verdict, w.layer, w.late, got.Message)
	}
	if !strings.Contains(got.Message, w.message) || (got.Message == "") != (w.verdict == api.Passed) {
		t.Errorf("the message %q has no %q", got.Message, w.message)
	}
}

// closed is the address of a port on which nobody listens, nor will: it is taken by a socket that never does.
func closed(t *testing.T) string {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(socket) })
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(at.(*syscall.SockaddrInet4).Port))
}

// silent is the address of a port that takes connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	return speaking(t, func(net.Conn) {})
}

// speaking is the address of a port that does something with each connection, and keeps it open until the test ends.
func speaking(t *testing.T, do func(net.Conn)) string {
	t.Helper()
	l := listener(t)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			go do(conn)
		}
	}()
	return l.Addr().String()
}

func listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestTheEndOfWhoeverAsksIsNoVerdict(t *testing.T) {
	t.Parallel()
	p, address := prober(t), silent(t)
	for name, ask := range map[string]func(context.Context) probe.Result{
		"http": func(ctx context.Context) probe.Result { return p.HTTP(ctx, probe.HTTP{URL: "http://" + address}) },
		"tcp": func(ctx context.Context) probe.Result {
			return p.TCP(ctx, probe.TCP{Address: address, TLS: &probe.TLS{}})
		},
		"certificate": func(ctx context.Context) probe.Result {
			return p.Certificate(ctx, probe.Certificate{Address: address})
		},
		"dns": func(ctx context.Context) probe.Result {
			return p.DNS(ctx, probe.DNS{Name: "up.test", Server: address, TCP: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			got := ask(ctx)
			if got.Verdict != api.Error || got.Message != "it was cut short" {
				t.Errorf("got %s: %s", got.Verdict, got.Message)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	p := prober(t)
	for _, c := range []struct {
		reason, host, found string
		want                want
	}{
		{"of both families, sorted", "both.test", "127.0.0.1 127.0.0.2 ::1", want{verdict: api.Passed}},
		{"an address is its own", "::ffff:10.0.0.1", "::ffff:10.0.0.1", want{verdict: api.Passed}},
		{"a name that is not there", "gone.test", "", want{api.Failed, probe.Resolve, "no such host", false}},
		{"a resolver that fails", "servfail.test", "", want{api.Error, probe.Resolve, "servfail.test", false}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			found, got := p.Addresses(t.Context(), c.host)
			c.want.test(t, got)
			var texts []string
			for _, a := range found {
				texts = append(texts, a.String())
			}
			if text := strings.Join(texts, " "); text != c.found {
				t.Errorf("found %s, want %s", text, c.found)
			}
		})
	}
}
