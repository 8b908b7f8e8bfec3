package engine

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/forge"
	"sluice.dev/sluice/internal/git"
	"sluice.dev/sluice/internal/identity"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/pipelines"
)

// Bounds on what a Source says of what went wrong, and on what it does at once.
const (
	maxSourceText    = 2000 // bytes
	maxSourceRequest = 100  // open requests that are shown
	maxSourceChanges = 50   // components of one commit
)

// followed is a Source with what it takes to follow it.
type followed struct {
	name   string
	spec   *pipelines.GitSourceSpec
	remote *git.Remote
	forge  *forge.Repository // nil where it has none
}

// who acts for a Source. Windows take what it starts for what a build system does.
func (f *followed) who() string { return identity.OfCI(api.SourceSubject(f.name)) }

// of says what is followed: of another repository nothing is known, and of other paths in it neither. What has stood there all along is no
// change, and the review of whatever is merged next is none of it.
func (f *followed) of() string {
	return strings.Join(append([]string{f.spec.URL, f.spec.Branch}, slices.Sorted(slices.Values(f.spec.Paths))...), " ")
}

// source reads a Source that is kept, and the secrets that it names. It is fault.NotFound where none is.
func (e *Engine) source(ctx context.Context, name string) (*followed, error) {
	kept, err := e.keptOf(ctx, pipelines.KindSource, name)
	if err != nil {
		return nil, err
	}
	doc := &pipelines.GitSource{}
	if err := kept.Read(doc); err != nil {
		return nil, err
	}
	return &followed{name: name, spec: &doc.Spec}, nil
}

// ready has a Source be able to ask its repository and its forge.
func (e *Engine) ready(f *followed) error {
	at := git.Repository{URL: f.spec.URL, Branch: f.spec.Branch, Paths: f.spec.Paths}
	if c := f.spec.Credentials; c != nil {
		at.Login.User = c.Login()
		for _, s := range []struct {
			from *pipelines.WorkerSecret
			into *string
		}{{c.Token, &at.Login.Token}, {c.SSHKey, &at.Login.SSHKey}, {c.KnownHosts, &at.Login.KnownHosts}} {
			if err := e.secret(s.from, s.into); err != nil {
				return err
			}
		}
		if c.CAFile != "" {
			if err := e.secret(&pipelines.WorkerSecret{File: c.CAFile}, &at.Login.CA); err != nil {
				return err
			}
		}
	}
	var err error
	if f.remote, err = git.Dial(at); err != nil {
		return err
	}
	if f.spec.Verify != nil {
		if err := git.CheckSigners(f.spec.Verify.Signers); err != nil {
			return err
		}
	}
	if f.spec.Forge == nil {
		return nil
	}
	f.forge, err = forge.New(forge.Place{
		Kind: forge.Kind(f.spec.Forge.Kind), API: f.spec.Forge.Endpoint(), Repository: f.spec.Forge.Repository, Account: f.spec.Forge.Account,
	}, func(context.Context) (string, error) {
		from := f.spec.Forge.Token
		if from == nil {
			from = f.spec.Credentials.Token
		}
		return e.options.Secrets(*from)
	})
	return err
}

// secret reads what a document names, where it names anything.
func (e *Engine) secret(from *pipelines.WorkerSecret, into *string) (err error) {
	if from != nil {
		*into, err = e.options.Secrets(*from)
	}
	return err
}

// LookAtSource says where the branch of a Source is, and which requests are open. What its repository or forge has done wrong is part of
// the answer, and its head is then none that may be followed.
func (e *Engine) LookAtSource(ctx context.Context, in api.SourceLook) (api.SourceLooked, error) {
	f, err := e.source(ctx, in.Source)
	if fault.CodeOf(err) == fault.NotFound {
		return api.SourceLooked{Gone: true}, nil
	}
	if err != nil {
		return api.SourceLooked{}, err
	}
	out := api.SourceLooked{Of: f.of(), Every: f.spec.Every()}
	if err := e.ready(f); err != nil {
		out.Error = says(err)
		return out, ctx.Err()
	}
	if out.Of != in.Of {
		in.Commit = ""
	}
	heads, err := f.remote.Look(ctx)
	if err == nil {
		err = f.goesOn(ctx, heads.Branch, in)
	}
	if err != nil {
		out.Error = says(err)
		return out, ctx.Err()
	}
	out.Head = heads.Branch
	if f.forge == nil {
		out.Listed = true
		return out, nil
	}
	var open []forge.Request
	if err = e.rests(f); err == nil {
		open, err = f.forge.List(ctx, f.spec.Branch)
	}
	if err != nil {
		out.Error = says(e.heed(f, err))
		return out, ctx.Err()
	}
	out.Listed = true
	for _, r := range open {
		out.Requests = append(out.Requests, api.SourceRequest{Number: r.Number, Head: r.Head, Branch: r.From, Fork: r.Fork})
	}
	if len(out.Requests) > maxSourceRequest {
		out.Error = clip.Bytes(f.spec.URL, 200) + " has more open requests than are shown: " + api.Counted(len(out.Requests), "request")
		out.Requests = out.Requests[:maxSourceRequest]
	}
	slices.SortFunc(out.Requests, func(a, b api.SourceRequest) int { return int(a.Number - b.Number) })
	return out, nil
}

// goesOn is fault.Refused where the head of a branch does not go on from the commit that was followed last: somebody has pushed over that.
func (f *followed) goesOn(ctx context.Context, head string, in api.SourceLook) error {
	if in.Commit == "" || head == in.Commit || in.Accept == head {
		return nil
	}
	on, err := f.remote.GoesOn(ctx, head, in.Commit)
	if fault.CodeOf(err) == fault.Invalid {
		return fault.Wrap(fault.Refused, err, "cannot tell whether %.12s goes on from %.12s; a person may take it: "+
			"sluice source sync %s --accept %s --reason TEXT", head, in.Commit, f.name, head)
	}
	if err != nil || on {
		return err
	}
	return fault.New(fault.Refused, "cannot follow %s of %s: %.12s does not go on from %.12s, which was there before: somebody has pushed "+
		"over it. Nothing is started until a person takes it as it is: sluice source sync %s --accept %s --reason TEXT",
		f.spec.Branch, f.spec.URL, head, in.Commit, f.name, head)
}

// atCommit reads one commit into a folder, has it used, and takes the folder away.
func (e *Engine) atCommit(ctx context.Context, f *followed, commit string, use func(*git.Commit, Files) error) error {
	dir, err := os.MkdirTemp("", "sluice-source-")
	if err != nil {
		return fault.Wrap(fault.Internal, err, "cannot keep commit %.12s of %s", commit, f.spec.URL)
	}
	read, err := e.readInto(ctx, f, commit, dir)
	if err == nil {
		paths := f.spec.Paths
		if len(paths) == 0 {
			paths = []string{"."}
		}
		err = use(read, Files{Paths: paths, Root: dir, Origin: &api.Origin{Repository: f.spec.URL, Commit: commit}})
	}
	return errors.Join(err, fault.Wrap(fault.Internal, os.RemoveAll(dir), "cannot take away commit %.12s of %s", commit, f.spec.URL))
}

// readInto reads one commit into a folder. At most one is read at a time: each may be large, for as long as it is in memory.
func (e *Engine) readInto(ctx context.Context, f *followed, commit, dir string) (*git.Commit, error) {
	select {
	case e.reading <- struct{}{}:
		defer func() { <-e.reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	read, err := f.remote.Read(ctx, commit)
	if err != nil {
		return nil, err
	}
	err = read.Write(dir)
	read.Files = nil
	return read, err
}

// says is an error as a Source shows it.
func says(err error) string { return clip.Bytes(err.Error(), maxSourceText) }

// transient reports whether the same may come out otherwise in a minute.
func transient(err error) bool {
	code := fault.CodeOf(err)
	return code == fault.Unreachable || code == fault.Internal || code == fault.Conflict || code == fault.Unauthorized
}

// triggers are those of a Source, by name. One that nobody can read is an error: it must not be passed by.
func (e *Engine) triggers(ctx context.Context, source string) ([]*pipelines.Trigger, error) {
	kept, err := e.ledger.ListKept(ctx, pipelines.KindTrigger)
	if err != nil {
		return nil, err
	}
	var all []*pipelines.Trigger
	for _, k := range kept {
		t := &pipelines.Trigger{}
		if err := k.Read(t); err != nil {
			return nil, err
		}
		if t.Spec.Source == source {
			all = append(all, t)
		}
	}
	return all, nil
}

// keepBlob keeps something as JSON in the ledger, and returns its digest.
func (e *Engine) keepBlob(ctx context.Context, v any) (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot write what a Source knows")
	}
	return e.ledger.PutBlob(ctx, data)
}

// Sources lists the sources that are kept, by name, with how far each was followed.
func (e *Engine) Sources(ctx context.Context) ([]KeptSource, error) {
	kept, err := e.ledger.ListKept(ctx, pipelines.KindSource)
	if err != nil {
		return nil, err
	}
	all := make([]KeptSource, len(kept))
	for i, k := range kept {
		if all[i], err = e.keptSource(ctx, k); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// KeptSource is a Source with how far it was followed.
type KeptSource struct {
	ledger.Kept
	URL    string          `json:"url"`
	Branch string          `json:"branch"`
	State  api.SourceState `json:"state"`
	Silent string          `json:"silent,omitempty"` // why nobody can say how far
}

func (e *Engine) keptSource(ctx context.Context, k ledger.Kept) (KeptSource, error) {
	out := KeptSource{Kept: k}
	doc := &pipelines.GitSource{}
	if err := k.Read(doc); err != nil {
		out.Silent = says(err)
		return out, nil
	}
	out.URL, out.Branch = doc.Spec.URL, doc.Spec.Branch
	server, queue, err := e.serverAndQueue(ctx)
	if err != nil {
		out.Silent = says(err)
		return out, nil
	}
	within, cancel := context.WithTimeout(ctx, e.options.Query)
	defer cancel()
	answer, err := server.Temporal.QueryWorkflow(within, api.SourceWorkflowID(queue, k.Name), "", api.QuerySource)
	if err == nil {
		err = answer.Get(&out.State)
	}
	if err != nil && ctx.Err() == nil {
		out.Silent = "nobody follows it at the moment: is a worker of the central queue running?"
		return out, nil
	}
	return out, ctx.Err()
}

// SyncRequest has a Source be looked at. Accept takes a commit for the head of its branch that does not go on from the one before; "" takes
// none.
type SyncRequest struct {
	Source string
	Accept string
	By     string
	Reason string
}

// Synced is a Source that is looked at now.
type Synced struct {
	Source string `json:"source"`
	Accept string `json:"accept,omitempty"`
}

// SyncSource has a Source be looked at now. It is fault.NotFound where there is no such Source, or nobody follows it yet.
func (e *Engine) SyncSource(ctx context.Context, req SyncRequest) (Synced, error) {
	req.By = e.named(req.By)
	out := Synced{req.Source, req.Accept}
	if _, err := e.keptOf(ctx, pipelines.KindSource, req.Source); err != nil {
		return out, err
	}
	if req.Accept != "" && !isCommit(req.Accept) {
		return out, fault.New(fault.Invalid, "cannot accept %.80q: give the whole name of the commit, as the error of the Source says it",
			req.Accept)
	}
	if req.Accept != "" && req.Reason == "" {
		return out, fault.New(fault.Invalid, "cannot accept %.12s for no reason: somebody has pushed over what was there", req.Accept)
	}
	if err := e.NudgeSource(ctx, req.Source, api.SourceNudge{Accept: req.Accept}); err != nil {
		return out, err
	}
	return out, e.audit(ctx, ledger.Entry{
		Who: req.By, Command: "sync", Object: keptName(pipelines.KindSource, req.Source), Scope: req.Accept, Reason: req.Reason,
		Outcome: "accepted",
	})
}

// NudgeSource tells whoever follows a Source to look soon.
func (e *Engine) NudgeSource(ctx context.Context, name string, n api.SourceNudge) error {
	server, queue, err := e.serverAndQueue(ctx)
	if err != nil {
		return err
	}
	err = server.Temporal.SignalWorkflow(ctx, api.SourceWorkflowID(queue, name), "", api.SignalNudge, n)
	return e.temporalFault(err, "cannot tell Source %s to look", name)
}

func isCommit(text string) bool {
	return len(text) == 40 && !slices.ContainsFunc([]byte(text), func(c byte) bool { return (c < '0' || c > '9') && (c < 'a' || c > 'f') })
}

// SourceSecret is what a Source and its forge both know, for webhooks. It is fault.NotFound where there is no such Source, or none is to be
// taken.
func (e *Engine) SourceSecret(ctx context.Context, name string) (forge.Kind, string, error) {
	f, err := e.source(ctx, name)
	if err != nil {
		return "", "", err
	}
	if f.spec.Forge == nil || f.spec.Forge.WebhookSecret == nil {
		return "", "", fault.New(fault.NotFound, "Source %s takes no webhooks", name)
	}
	value, err := e.options.Secrets(*f.spec.Forge.WebhookSecret)
	return forge.Kind(f.spec.Forge.Kind), value, err
}
