package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/authn"
	"sluice.dev/sluice/internal/authn/device"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/identity"
	"sluice.dev/sluice/internal/remote"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// login is what is kept of one that was done, for one server.
type login struct {
	Issuer   string    `json:"issuer"` // its address
	ClientID string    `json:"clientID"`
	CA       string    `json:"certificateAuthority,omitempty"` // file of certificates that the issuer's own is signed with
	ID       string    `json:"idToken"`
	Refresh  string    `json:"refreshToken,omitempty"`
	Expires  time.Time `json:"expires,omitzero"`
}

// soon is how long before a token is over another one is asked for.
const soon = time.Minute

// loginPath is the file of the login at a server.
func (f *Factory) loginPath(server string) string {
	at := f.configPath()
	if at == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(at), "logins", url.QueryEscape(strings.TrimRight(server, "/"))+".json")
}

func (f *Factory) readLogin(server string) (l login, found bool, err error) {
	data, err := os.ReadFile(f.loginPath(server))
	if errors.Is(err, fs.ErrNotExist) {
		return l, false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &l)
	}
	return l, err == nil, fault.Wrap(fault.Unauthorized, err, "cannot read the login at %s; log in again", server)
}

func (f *Factory) keepLogin(server string, l login) error {
	at := f.loginPath(server)
	if at == "" {
		return fault.New(fault.Invalid, "cannot keep a login: there is no HOME; name a file of contexts with SLUICE_CONFIG")
	}
	data, err := json.Marshal(l)
	if err == nil {
		err = writeWhole(at, data)
	}
	return fault.Wrap(fault.Internal, err, "cannot keep the login at %s", server)
}

// loggedIn is the token of the login at a server, renewed where it is about to be over; "" where there is no login.
func (f *Factory) loggedIn(ctx context.Context, server string) (string, error) {
	l, found, err := f.readLogin(server)
	if err != nil || !found {
		return "", err
	}
	if l.Expires.IsZero() || f.Clock.Now().Add(soon).Before(l.Expires) {
		return l.ID, nil
	}
	if l.Refresh == "" {
		return "", fault.New(fault.Unauthorized, "the login at %s is over; log in again: sluice login", server)
	}
	client, err := authn.Client(l.CA)
	if err != nil {
		return "", err
	}
	session, err := device.Login{Issuer: l.Issuer, ClientID: l.ClientID, Client: client}.Refresh(ctx, l.Refresh)
	if err != nil {
		return "", err
	}
	l.ID, l.Expires, l.Refresh = session.IDToken, session.Expires, cmp.Or(session.RefreshToken, l.Refresh)
	return l.ID, f.keepLogin(server, l)
}

func newCmdLogin(f *Factory) *cobra.Command {
	var issuer, ca string
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Log in at the server, in a browser",
		Long: `Log in at the server of the context, or of --server: open the address that is printed in a browser,
on any machine, and type the code there. What comes of it is kept beside the contexts, readable by you
alone, and renewed by itself for as long as the issuer does so.

Build systems do not log in: give them a token in SLUICE_TOKEN, or in the file of a context.`,
		Example: `  sluice login
  sluice login --server https://sluice.example.org --issuer corp`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return loginRun(cmd.Context(), f, issuer, ca) },
	}
	cmd.Flags().StringVar(&issuer, "issuer", "", "`NAME` of the issuer, where the server trusts several")
	cmd.Flags().StringVar(&ca, "ca-file", "", "`FILE` with the certificates that the issuer's own is signed with (default: the system's)")
	return cmd
}

func loginRun(ctx context.Context, f *Factory, issuer, ca string) error {
	if ca != "" {
		ca = absolute(ca) // the login is renewed from other folders too
	}
	client, err := authn.Client(ca)
	if err != nil {
		return err
	}
	e, err := f.Engine(ctx)
	if err != nil {
		return err
	}
	server, ok := e.(*remote.Engine)
	if !ok {
		return fault.New(fault.Invalid, "cannot log in: there is no server; name one with --server, or make a context")
	}
	all, err := server.Logins(ctx)
	if err != nil {
		return err
	}
	at, err := chooseLogin(all, issuer, server.URL())
	if err != nil {
		return err
	}
	session, err := device.Login{Issuer: at.URL, ClientID: at.ClientID, Client: client}.Start(ctx, func(p device.Prompt) error {
		_, err := fmt.Fprintf(f.Err, "open %s and type %s\n", p.URL, p.Code)
		return err
	})
	if err != nil {
		return err
	}
	kept := login{
		Issuer: at.URL, ClientID: at.ClientID, CA: ca, ID: session.IDToken, Refresh: session.RefreshToken, Expires: session.Expires,
	}
	if err := f.keepLogin(server.URL(), kept); err != nil {
		return err
	}
	who, err := server.Whoami(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(shown{f.Out}, "%s is logged in at %s\n", who.Name, server.URL())
	return err
}

func chooseLogin(all []wire.LoginAt, named, server string) (wire.LoginAt, error) {
	var names []string
	for _, at := range all {
		if at.Issuer == named || named == "" && len(all) == 1 {
			return at, nil
		}
		names = append(names, at.Issuer)
	}
	if len(names) == 0 {
		return wire.LoginAt{}, fault.New(fault.NotFound, "server %s has nowhere to log in: give it a token in SLUICE_TOKEN", server)
	}
	return wire.LoginAt{}, fault.New(fault.Invalid, "cannot tell where to log in: choose one of %s with --issuer", strings.Join(names, ", "))
}

// permitting is an engine that says what somebody may do: that of a server.
type permitting interface {
	CanI(context.Context, wire.Whether) (access.Explanation, error)
}

// reading are the commands that only read.
var reading = []string{"get", "why", "report", "changes"}

func newCmdCanI(f *Factory) *cobra.Command {
	var in wire.Whether
	var out format
	cmd := &cobra.Command{
		Use:   "can-i VERB [COMPONENT]",
		Short: "Say whether you may do something",
		Long: `Say whether the server lets you do something, and by which bindings, or what is missing. VERB is a
command, or a right: view, plan, operate, approve, register, bind, enforce. Without a component, and
without --environment or --run, it is about everything.

Exits 3 where you may not.`,
		Example: `  sluice can-i run node-agent --environment production
  sluice can-i approve --run node-agent-2`,
		Args: between(1, "VERB", "COMPONENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			right, known := rightFor(args[0])
			if !known {
				return usage(cmd, "there is no command or right %q", args[0])
			}
			if in.Right = string(right); len(args) > 1 {
				in.Component = args[1]
			}
			return canIRun(cmd.Context(), f, in, out)
		},
	}
	cmd.Flags().StringVar(&in.Environment, "environment", "", "only in this `ENVIRONMENT`")
	cmd.Flags().StringVar(&in.Run, "run", "", "over what this `RUN` touches")
	addOutput(cmd, &out)
	return cmd
}

func rightFor(verb string) (pipelines.Right, bool) {
	if slices.Contains(pipelines.Rights(), pipelines.Right(verb)) {
		return pipelines.Right(verb), true
	}
	if slices.Contains(reading, verb) {
		return pipelines.RightView, true
	}
	return access.RightTo(verb)
}

func canIRun(ctx context.Context, f *Factory, in wire.Whether, out format) error {
	e, err := f.Engine(ctx)
	if err != nil {
		return err
	}
	x := access.Explanation{
		Subject: identity.Unverified(f.Who()), Right: pipelines.Right(in.Right), Allowed: true, By: []string{"whoever has the ledger"},
	}
	if p, ok := e.(permitting); ok {
		if x, err = p.CanI(ctx, in); err != nil {
			return err
		}
	}
	err = out.print(f.Out, x, func() error {
		said := fmt.Sprintf("yes: %s may %s, by %s\n", x.Subject, x.Right, strings.Join(x.By, ", "))
		if !x.Allowed {
			said = fmt.Sprintf("no: %s may not %s: %s\n", x.Subject, x.Right, x.Short)
		}
		for _, b := range x.Bound {
			said += fmt.Sprintf("  %s gives %v over %s\n", b.Binding, b.Rights, b.Scope)
		}
		_, err := fmt.Fprint(shown{f.Out}, said)
		return err
	})
	if err == nil && !x.Allowed {
		return &Exit{fault.ExitRefused, "you may not"}
	}
	return err
}
