package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/server"
	"sluice.dev/sluice/internal/wire"
)

// narrow is a listener whose connections hold little that was not read, and say when the server closes them.
type narrow struct {
	net.Listener
	closed chan net.Addr // whose connection
}

type narrowed struct {
	net.Conn
	closed chan net.Addr
}

// Accept implements net.Listener.
func (n narrow) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if err := c.(*net.TCPConn).SetWriteBuffer(4 << 10); err != nil {
		return nil, err
	}
	return narrowed{c, n.closed}, nil
}

// Close implements net.Conn.
func (n narrowed) Close() error {
	n.closed <- n.RemoteAddr()
	return n.Conn.Close()
}

// narrowly serves until the test ends.
func narrowly(t *testing.T, h http.Handler) narrow {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := narrow{listener, make(chan net.Addr, 100)}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, n, h, nil, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return n
}

// TestAWatcherWhoDoesNotRead is cut off once nothing more can be sent to him; whoever watches the same run hears each change meanwhile.
func TestAWatcherWhoDoesNotRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.callers()
	b.seed()
	const takenIn = 3 * time.Second
	at := narrowly(t, b.handler(func(o *server.Options) { o.TakenIn = takenIn }))
	deaf, err := net.Dial("tcp", at.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	if err := deaf.(*net.TCPConn).SetReadBuffer(2 << 10); err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(deaf, "GET %s/runs/agent-1/watch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", wire.Prefix, b.token("viewer"))
	if err != nil {
		t.Fatal(err)
	}
	hears := b.watch(t, "http://"+at.Addr().String(), "")
	hears.next(t)
	began := time.Now()
	for changes := 1; ; changes++ {
		select {
		case whose := <-at.closed:
			if whose.String() != deaf.LocalAddr().String() {
				t.Errorf("%s is cut off, who reads", whose)
			}
			if took := time.Since(began); took < takenIn {
				t.Errorf("he is cut off after %s", took)
			}
			return
		default:
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("he is not cut off after %d changes", changes)
		}
		b.temporal.set("", changes)
		changed := time.Now()
		for heard := false; !heard; {
			b.clock.Step(time.Second)
			select {
			case said, open := <-hears.heard:
				if heard = true; !open {
					t.Fatalf("whoever reads is cut off: %q", said)
				}
			case <-time.After(10 * time.Millisecond):
			}
		}
		if late := time.Since(changed); late > takenIn*3/4 {
			t.Errorf("another hears of a change after %s", late)
		}
	}
}

// TestABodyThatArrivesSlowly is waited for within a bound, however much of it there is.
func TestABodyThatArrivesSlowly(t *testing.T) {
	t.Parallel()
	for name, drips := range map[string]bool{"it stops": false, "it drips": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.callers()
			const within = time.Second
			at := narrowly(t, b.handler(func(o *server.Options) { o.BodyWithin = within }))
			c, err := net.Dial("tcp", at.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, err = fmt.Fprintf(c, "POST %s/lint HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
				"Content-Length: 60000\r\n\r\n{", wire.Prefix, b.token("viewer"))
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if drips {
				go func() {
					for {
						if _, err := io.WriteString(c, " "); err != nil {
							return
						}
						time.Sleep(within / 20)
					}
				}()
			}
			if err := c.SetReadDeadline(began.Add(20 * within)); err != nil {
				t.Fatal(err)
			}
			said, err := io.ReadAll(c)
			if took := time.Since(began); took < within/2 || took > 10*within {
				t.Errorf("after %s he is told %q, %v", took, said, err)
			}
			if answers := strings.Count(string(said), "HTTP/1.1 "); !strings.Contains(string(said), " 408 ") || answers != 1 {
				t.Errorf("he is told %q, %v", said, err)
			}
		})
	}
}

// TestWhatIsLeftOfABodyIsNoRequest ends a body that is refused with what reads like another request.
func TestWhatIsLeftOfABodyIsNoRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.callers()
	at := narrowly(t, b.handler())
	c, err := net.Dial("tcp", at.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// More is left than net/http throws away itself, and it begins with what would be the next request.
	const hidden = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	most := strings.Repeat(" ", 24<<20)
	_, err = fmt.Fprintf(c, "POST %s/lint HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\n\r\n%s%s", wire.Prefix, b.token("viewer"), len(most)+1<<20, most, hidden)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(c)
	if !strings.HasPrefix(string(said), "HTTP/1.1 413 ") || strings.Count(string(said), "HTTP/1.1 ") != 1 {
		t.Errorf("he is told %q, %v", said, err)
	}
}
