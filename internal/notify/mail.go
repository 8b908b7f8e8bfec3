package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"

	"sluice.dev/sluice/pipelines"
)

func (s *Sender) mail(ctx context.Context, read *reader, m *pipelines.EmailReceiver, e Event, title, text string) Answer {
	password := ""
	if m.Auth != nil {
		password = read.secret(m.Auth.Password)
	}
	if read.err != nil {
		return Answer{Says: read.err.Error()}
	}
	body, err := letter(m, e, title, text, s.Clock.Now())
	if err == nil {
		err = s.deliver(ctx, m, password, body)
	}
	var said *textproto.Error
	switch {
	case err == nil:
		return Answer{Took: true, Says: "the server took it"}
	case errors.As(err, &said):
		return Answer{Never: said.Code >= 550 && said.Code < 560, Says: fmt.Sprintf("%d %s", said.Code, said.Msg)}
	}
	return Answer{Says: err.Error()}
}

// deliver hands a letter to the server. Once the server took it, it is told, whatever follows.
func (s *Sender) deliver(ctx context.Context, m *pipelines.EmailReceiver, password string, body []byte) error {
	host, _, err := net.SplitHostPort(m.Server)
	if err != nil {
		return err
	}
	secure := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: s.authorities}
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.Server)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	if until, ok := ctx.Deadline(); ok {
		if err := connection.SetDeadline(until); err != nil {
			return err
		}
	}
	if m.TLS == pipelines.ImplicitTLS {
		connection = tls.Client(connection, secure)
	}
	client, err := smtp.NewClient(connection, host)
	if err != nil {
		return err
	}
	if m.TLS == "" || m.TLS == pipelines.StartTLS {
		if offers, _ := client.Extension("STARTTLS"); !offers {
			return errors.New("cannot start TLS: the server does not offer it")
		}
		if err := client.StartTLS(secure); err != nil {
			return fmt.Errorf("cannot start TLS: %w", err)
		}
	}
	if m.Auth != nil {
		if err := client.Auth(smtp.PlainAuth("", m.Auth.User, password, host)); err != nil {
			return err
		}
	}
	if err := client.Mail(m.From); err != nil {
		return err
	}
	var refused error
	taken := 0
	for _, to := range m.To {
		if err := client.Rcpt(to); err != nil {
			refused = err
			continue
		}
		taken++
	}
	if taken == 0 {
		return refused // one that is gone keeps no letter from the others
	}
	data, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := data.Write(body); err != nil {
		return err
	}
	if err := data.Close(); err != nil {
		return err
	}
	_ = client.Quit()
	return nil
}

// letter is what is sent. Its ID goes by what happened, so that a mailbox that gets it twice can tell.
func letter(m *pipelines.EmailReceiver, e Event, title, text string, now time.Time) ([]byte, error) {
	var b bytes.Buffer
	for _, field := range [][2]string{
		{"From", m.From}, {"To", strings.Join(m.To, ", ")}, {"Subject", mime.QEncoding.Encode("utf-8", title)},
		{"Date", now.Format(time.RFC1123Z)}, {"Message-ID", fmt.Sprintf("<%x@sluice>", sha256.Sum256([]byte(e.Key+m.From)))},
		{"Auto-Submitted", "auto-generated"}, {"MIME-Version", "1.0"}, {"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", "quoted-printable"},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", field[0], field[1])
	}
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	if _, err := w.Write([]byte(text + "\n")); err != nil {
		return nil, err
	}
	return b.Bytes(), w.Close()
}
