package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/remote"
)

// serverFile is where a local server says how it is asked, in the state folder.
const serverFile = "server.json"

// LocalServer is how the server of a local stack is asked, by whoever may read its state folder.
type LocalServer struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

// options reach the server. It is on this machine: where it does not answer it is gone.
func (l LocalServer) options() remote.Options {
	return remote.Options{URL: l.URL, Token: func(context.Context) (string, error) { return l.Token, nil }, Tries: 1}
}

// Engine returns what commands ask: a server, where one is named, is of the current context or of the local stack; else the ledger
// itself. Whoever names a ledger or a state folder means no context's server.
func (f *Factory) Engine(ctx context.Context) (Engine, error) {
	if f.asked != nil {
		return f.asked, nil
	}
	e, err := f.reach(ctx)
	if err == nil {
		f.asked = e
	}
	return e, err
}

func (f *Factory) reach(ctx context.Context) (Engine, error) {
	if f.Itself {
		fmt.Fprintln(f.Err, "sluice: asking the ledger itself, and no server: "+
			"who asks is not verified, and what comes of it says so in the audit")
	}
	e, err := f.away(ctx)
	if err != nil {
		return nil, err
	}
	if e != nil {
		return e, nil
	}
	return f.here(ctx)
}

// away is the engine of the server that is to be asked; nil where it is the ledger itself.
func (f *Factory) away(ctx context.Context) (*remote.Engine, error) {
	if f.Itself {
		return nil, nil
	}
	if named := cmp.Or(f.Server, f.Getenv("SLUICE_SERVER")); named != "" {
		return f.server(Target{Name: named, Server: named})
	}
	local, found, err := f.localServer()
	if err != nil {
		return nil, err
	}
	if found {
		c, err := f.client(local.options())
		if err != nil {
			return nil, err
		}
		if _, err := c.Greet(ctx); fault.CodeOf(err) != fault.Unreachable {
			return c, err
		}
		fmt.Fprintf(f.Err, "sluice: the server of %s does not answer at %s; asking the ledger itself\n", f.state(), local.URL)
		return nil, nil
	}
	if f.Ledger != "" || f.Dir != "" || f.Getenv("SLUICE_LEDGER") != "" {
		return nil, nil
	}
	config, err := f.config()
	if err != nil {
		return nil, err
	}
	t, named := config.current(f.Context)
	switch {
	case !named:
		return nil, nil
	case t.Server == "":
		return nil, fault.New(fault.NotFound, "cannot find context %s in %s", t.Name, f.configPath())
	}
	return f.server(t)
}

// server is the engine of a server.
func (f *Factory) server(t Target) (*remote.Engine, error) {
	o := remote.Options{URL: t.Server, Token: func(ctx context.Context) (string, error) { return f.token(ctx, t) }}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "cannot read the certificates that context %s trusts", t.Name)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.Invalid, "cannot read the certificates that context %s trusts: %s has none", t.Name, t.CA)
		}
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
		o.HTTP = &http.Client{Transport: transport}
	}
	return f.client(o)
}

func (f *Factory) client(o remote.Options) (*remote.Engine, error) {
	o.As, o.Agent, o.Clock = f.Who(), "sluice/"+f.Version, f.Clock
	o.Trace = traceparent(f.Getenv("TRACEPARENT"))
	c, err := remote.New(o)
	if err != nil {
		return nil, err
	}
	return &remote.Engine{Client: c}, nil
}

// token is what a server is shown: of a variable, of a file, of the job that this is, or of a login.
func (f *Factory) token(ctx context.Context, t Target) (string, error) {
	if token := f.Getenv("SLUICE_TOKEN"); token != "" {
		return token, nil
	}
	if f.vouched != nil && t.TokenFile == "" {
		if token, err := f.vouched(ctx, t.Server); token != "" || err != nil {
			return token, err
		}
	}
	if t.TokenFile == "" {
		return f.loggedIn(ctx, t.Server)
	}
	data, err := os.ReadFile(t.TokenFile)
	return strings.TrimSpace(string(data)), fault.Wrap(fault.Unauthorized, err, "cannot read the token of context %s", t.Name)
}

// localServer is the server of the local stack, where its state folder says that there is one and nothing else is meant.
func (f *Factory) localServer() (LocalServer, bool, error) {
	var local LocalServer
	if f.Ledger != "" || f.Getenv("SLUICE_LEDGER") != "" || f.Context != "" {
		return local, false, nil
	}
	at := filepath.Join(f.state(), serverFile)
	data, err := os.ReadFile(at)
	if errors.Is(err, fs.ErrNotExist) {
		return local, false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &local)
	}
	return local, err == nil, fault.Wrap(fault.Invalid, err, "cannot read how the local server is asked from %s", at)
}
