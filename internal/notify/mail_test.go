package notify

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/pipelines"
)

// postOffice answers one letter by a script, and returns what was written.
func postOffice(t *testing.T, rcpt string) (address string, letter <-chan string) {
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
			case verb == "DATA":
				data = true
				say("354 go on")
			case verb == "RCPT":
				say(rcpt)
			case verb == "QUIT":
				got <- body.String()
				return
			default:
				say("250 yes")
			}
		}
	}()
	return listener.Addr().String(), got
}

func mailTo(t *testing.T, m *pipelines.EmailReceiver, title string) Answer {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	s := &Sender{Clock: testclock.NewFakeClock(now), Within: 5 * time.Second}
	r := &pipelines.Receiver{Spec: pipelines.ReceiverSpec{Email: m, Title: title}}
	return s.Send(context.WithoutCancel(t.Context()), r, Sample("mail", now))
}

func TestALetterIsSent(t *testing.T) {
	address, letter := postOffice(t, "250 yes")
	m := &pipelines.EmailReceiver{Server: address, TLS: pipelines.PlainText, From: "sluice@example.com", To: []string{"a@example.com", "b@example.com"}}
	if a := mailTo(t, m, "Held:\nBcc: all@example.com é"); !a.Took {
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
		address, _ := postOffice(t, answer)
		m := &pipelines.EmailReceiver{Server: address, TLS: pipelines.PlainText, From: "s@example.com", To: []string{"a@example.com"}}
		if a := mailTo(t, m, ""); a.Took || a.Never != never || a.Says != answer {
			t.Errorf("%s: %+v", answer, a)
		}
	}
	address, _ := postOffice(t, "250 yes")
	m := &pipelines.EmailReceiver{Server: address, From: "s@example.com", To: []string{"a@example.com"}}
	if a := mailTo(t, m, ""); a.Took || !strings.Contains(a.Says, "cannot start TLS") {
		t.Errorf("it was sent in the clear: %+v", a)
	}
}
