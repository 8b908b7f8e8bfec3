package git

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// answersWithin is how long a server may take for its first byte.
const answersWithin = 30 * time.Second

// Dial makes a repository ready to be asked; it asks nothing yet. It is fault.Invalid where a key, a host key or a certificate cannot be
// read.
func Dial(at Repository) (*Remote, error) {
	r := &Remote{at: at, limits: at.Limits.orDefault()}
	if pipelines.OverSSH(at.URL) {
		return r, r.overSSH()
	}
	return r, r.overHTTP()
}

func (r *Remote) overHTTP() error {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if ca := r.at.Login.CA; ca != "" && !pool.AppendCertsFromPEM([]byte(ca)) {
		return fault.New(fault.Invalid, "cannot read %s: its caFile has no certificate", r.at.URL)
	}
	r.client = githttp.NewClient(&http.Client{Transport: &bounded{
		next: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: answersWithin}).DialContext,
			TLSClientConfig:       &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:   answersWithin,
			ResponseHeaderTimeout: answersWithin,
			DisableKeepAlives:     true, // a repository is asked once a minute
		},
		most: r.limits.Pack,
	}})
	if r.at.Login.Token != "" {
		r.auth = &githttp.BasicAuth{Username: r.at.Login.User, Password: r.at.Login.Token}
	}
	return nil
}

// bounded ends an answer with errTooLarge where it is larger than may be. What packs are made of counts beside them.
type bounded struct {
	next http.RoundTripper
	most int64
}

// besides is what stands around a pack, and is not in it.
const besides = 4 << 20

func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(req)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{&limited{res.Body, b.most + besides}, res.Body}
	}
	return res, err
}

var errTooLarge = errors.New("it is larger than may be")

// limited ends with errTooLarge where there is more to read than may be.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(into []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLarge
	}
	n, err := l.r.Read(into[:min(int64(len(into)), l.left)])
	l.left -= int64(n)
	return n, err
}

func (r *Remote) overSSH() error {
	key, err := ssh.ParsePrivateKey([]byte(r.at.Login.SSHKey + "\n"))
	if err != nil {
		return fault.New(fault.Invalid, "cannot read %s: its sshKey is no private key without a passphrase", r.at.URL)
	}
	at, err := transport.NewEndpoint(r.at.URL)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot read %s", r.at.URL)
	}
	known, err := hostKeys(r.at.Login.KnownHosts)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "cannot read %s: its knownHosts", r.at.URL)
	}
	r.client = gitssh.DefaultClient
	r.auth = &sshLogin{gitssh.PublicKeys{User: at.User, Signer: key}, known}
	return nil
}

// sshLogin is a login by key at a server whose own keys are known.
type sshLogin struct {
	gitssh.PublicKeys
	known ssh.HostKeyCallback
}

// ClientConfig is what ssh needs to know.
func (l *sshLogin) ClientConfig() (*ssh.ClientConfig, error) {
	return &ssh.ClientConfig{
		User: l.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(l.Signer)}, HostKeyCallback: l.known, Timeout: answersWithin,
		HostKeyAlgorithms: []string{
			ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512,
		},
	}, nil
}

// hostKeys reads keys of servers. The library reads them from files alone.
func hostKeys(known string) (ssh.HostKeyCallback, error) {
	file, err := os.CreateTemp("", "sluice-known-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(known + "\n")
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	return knownhosts.New(file.Name())
}

// failed says why a repository could not be read.
func (r *Remote) failed(ctx context.Context, err error) error {
	var key *knownhosts.KeyError
	text := err.Error()
	switch {
	case errors.Is(err, errTooLarge):
		return fault.New(fault.Invalid, "cannot read %s: what it sends is larger than %d megabytes", r.at.URL, r.limits.Pack>>20)
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fault.New(fault.Unreachable, "cannot read %s: it took longer than %s", r.at.URL, r.limits.Time)
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed),
		strings.Contains(text, "unable to authenticate"):
		return fault.New(fault.Unauthorized, "cannot read %s: it does not let us in with the credentials of the Source", r.at.URL)
	case errors.As(err, &key), strings.Contains(text, "knownhosts:"):
		return fault.New(fault.Unauthorized, "cannot read %s: its host key is none of knownHosts", r.at.URL)
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return fault.New(fault.NotFound, "cannot read %s: there is no such repository, or none that we may see", r.at.URL)
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return fault.New(fault.NotFound, "cannot read %s: it has no commit yet", r.at.URL)
	}
	return fault.New(fault.Unreachable, "cannot read %s: %.300s", r.at.URL, text)
}
