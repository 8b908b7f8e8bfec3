package notify

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/pipelines"
)

// postOffice answers one letter by a script, and returns what was written. Under a certificate it starts TLS where it is asked to, or
// from the first byte.
type postOffice struct {
	rcpt     string
	secure   *tls.Config
	implicit bool
}

func (p postOffice) opens(t *testing.T) (address string, letter <-chan string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	got := make(chan string, 1)
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = connection.Close() }()
		if p.implicit {
			connection = tls.Server(connection, p.secure)
		}
		p.serve(connection, got)
	}()
	return listener.Addr().String(), got
}

func (p postOffice) serve(connection net.Conn, got chan<- string) {
	lines := bufio.NewScanner(connection)
	say := func(text string) { _, _ = fmt.Fprintf(connection, "%s\r\n", text) }
	say("220 test")
	var body strings.Builder
	for data := false; lines.Scan(); {
		line := lines.Text()
		switch verb, _, _ := strings.Cut(line, " "); {
		case data && line == ".":
			data = false
			say("250 taken")
		case data:
			body.WriteString(line + "\n")
		case verb == "EHLO" && p.secure != nil && !p.implicit:
			say("250-test\r\n250-STARTTLS\r\n250 AUTH PLAIN")
		case verb == "STARTTLS":
			say("220 go on")
			connection = tls.Server(connection, p.secure)
			lines = bufio.NewScanner(connection)
		case verb == "AUTH":
			body.WriteString(line + "\n")
			say("235 welcome")
		case verb == "DATA":
			data = true
			say("354 go on")
		case verb == "RCPT":
			say(p.rcpt)
		case verb == "QUIT":
			if over, is := connection.(*tls.Conn); is {
				body.WriteString(fmt.Sprintf("TLS for %q\n", over.ConnectionState().ServerName))
			}
			got <- body.String()
			return
		default:
			say("250 yes")
		}
	}
}

// said is a password.
type said struct{}

func (said) Read(pipelines.WorkerSecret) (string, error) { return "pass", nil }

func mailTo(t *testing.T, m *pipelines.EmailReceiver, title string, believed *x509.CertPool) Answer {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	s := &Sender{Clock: testclock.NewFakeClock(now), Within: 20 * time.Second, Secrets: said{}, authorities: believed}
	r := &pipelines.Receiver{Spec: pipelines.ReceiverSpec{Email: m, Title: title}}
	return s.Send(context.WithoutCancel(t.Context()), r, Sample("mail", now))
}

func TestALetterIsSent(t *testing.T) {
	address, letter := postOffice{rcpt: "250 yes"}.opens(t)
	m := &pipelines.EmailReceiver{Server: address, TLS: pipelines.PlainText, From: "sluice@example.com", To: []string{"a@example.com", "b@example.com"}}
	if a := mailTo(t, m, "Held:\nBcc: all@example.com é", nil); !a.Took {
		t.Fatalf("%+v", a)
	}
	got := <-letter
	for _, want := range []string{
		"From: sluice@example.com\n", "To: a@example.com, b@example.com\n", "Subject: =?utf-8?q?Held:_Bcc:_all@example.com_=C3=A9?=\n",
		"Message-ID: <", "sluice why sample-1\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "\nBcc:") {
		t.Errorf("a title makes headers:\n%s", got)
	}
}

func TestAMailServerThatRefuses(t *testing.T) {
	for answer, never := range map[string]bool{"550 no such box": true, "451 later": false} {
		address, _ := postOffice{rcpt: answer}.opens(t)
		m := &pipelines.EmailReceiver{Server: address, TLS: pipelines.PlainText, From: "s@example.com", To: []string{"a@example.com"}}
		if a := mailTo(t, m, "", nil); a.Took || a.Never != never || a.Says != answer {
			t.Errorf("%s: %+v", answer, a)
		}
	}
	address, _ := postOffice{rcpt: "250 yes"}.opens(t)
	m := &pipelines.EmailReceiver{Server: address, From: "s@example.com", To: []string{"a@example.com"}}
	if a := mailTo(t, m, "", nil); a.Took || !strings.Contains(a.Says, "cannot start TLS") {
		t.Errorf("it was sent in the clear: %+v", a)
	}
}

// TestALetterGoesUnderTLS: it starts TLS, or has it from the first byte, with a server whose certificate is for the name that the
// document has; a password goes under it alone. One that is for another name, or from nobody who is believed, gets nothing.
func TestALetterGoesUnderTLS(t *testing.T) {
	server := httptest.NewTLSServer(nil) // its certificate is for 127.0.0.1 and example.com
	t.Cleanup(server.Close)
	believed := x509.NewCertPool()
	believed.AddCert(server.Certificate())
	for reason, c := range map[string]struct {
		tls      pipelines.EmailTLS
		host     string
		believed *x509.CertPool
		says     string
	}{
		"it starts TLS":                         {pipelines.StartTLS, "127.0.0.1", believed, ""},
		"that is the default":                   {"", "127.0.0.1", believed, ""},
		"TLS from the first byte":               {pipelines.ImplicitTLS, "127.0.0.1", believed, ""},
		"a certificate for another name":        {pipelines.StartTLS, "localhost", believed, "not localhost"},
		"and from the first byte":               {pipelines.ImplicitTLS, "localhost", believed, "not localhost"},
		"a certificate that nobody vouches for": {pipelines.StartTLS, "127.0.0.1", x509.NewCertPool(), "unknown authority"},
	} {
		t.Run(reason, func(t *testing.T) {
			office := postOffice{rcpt: "250 yes", implicit: c.tls == pipelines.ImplicitTLS}
			office.secure = &tls.Config{Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12}
			address, letter := office.opens(t)
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			m := &pipelines.EmailReceiver{
				Server: net.JoinHostPort(c.host, port), TLS: c.tls, From: "s@example.com", To: []string{"a@example.com"},
			}
			if c.tls != pipelines.ImplicitTLS {
				m.Auth = &pipelines.BasicAuth{User: "sluice"}
			}
			a := mailTo(t, m, "", c.believed)
			if c.says != "" {
				if a.Took || a.Never || !strings.Contains(a.Says, c.says) {
					t.Errorf("it was told %+v", a)
				}
				return
			}
			if !a.Took {
				t.Fatalf("%+v", a)
			}
			got := <-letter
			if !strings.Contains(got, "sluice why sample-1\n") || !strings.Contains(got, "TLS for") || (m.Auth != nil) != strings.Contains(got, "AUTH PLAIN ") {
				t.Errorf("it got\n%s", got)
			}
		})
	}
}
