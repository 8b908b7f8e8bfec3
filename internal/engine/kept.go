package engine

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/pipelines"
)

// Applied is a document that is kept now, and whether that is news.
type Applied struct {
	ledger.Kept
	Was string `json:"was"` // Created, Changed or Unchanged
}

// ApplyRequest says which documents to keep.
type ApplyRequest struct {
	Files
	By     string
	Reason string
	// May says why who asks may not keep a document of a kind, before any is kept; nil: he may.
	May func(kind string) error
}

// What became of a document that was applied.
const (
	Created   = "created"
	Changed   = "changed"
	Unchanged = "unchanged"
)

// amendments is how often a change of what is kept is thought of anew where somebody else was quicker.
const amendments = 5

// Apply keeps documents for the whole installation, whoever's files leave them out: of kinds that say what no pipeline may pass by, and
// of those of which the fleet is made. It is fault.Invalid where a document is of another kind, where one that is kept is to change for no
// reason, and where what would be kept is not whole; then none is kept.
func (e *Engine) Apply(ctx context.Context, req ApplyRequest) (all []Applied, err error) {
	req.By = e.named(req.By)
	for range amendments {
		if all, err = e.apply(ctx, req); fault.CodeOf(err) != fault.Conflict {
			break
		}
	}
	return all, err
}

func (e *Engine) apply(ctx context.Context, req ApplyRequest) ([]Applied, error) {
	before, err := e.ledger.ListKept(ctx, "")
	if err != nil {
		return nil, err
	}
	own := fleetAmong(before)
	docs, err := req.load(own.sources)
	if err != nil {
		return nil, err
	}
	found, others := docs.Kept()
	found = slices.DeleteFunc(found, func(d pipelines.KeptDocument) bool { return own.has(d.Position) })
	if len(others) > 0 || len(found) == 0 {
		return nil, fault.New(fault.Invalid, "cannot apply %s: only documents of %s are kept in the ledger%s",
			strings.Join(req.Paths, ", "), strings.Join(pipelines.KeptKinds(), ", "), besides(others))
	}
	if req.May != nil {
		for _, d := range found {
			if err := req.May(d.Kind); err != nil {
				return nil, err
			}
		}
	}
	if err := contradict(docs, before); err != nil {
		return nil, err
	}
	all, err := e.applied(before, found, req)
	if err != nil {
		return nil, err
	}
	a := ledger.Amendment{Seen: before, Most: pipelines.MostKept}
	for _, d := range all {
		if d.Was != Unchanged { // a fleet of a thousand clusters is applied at each merge
			a.Keep = append(a.Keep, d.Kept)
			a.Entries = append(a.Entries, ledger.Entry{
				At: d.At, Who: req.By, Command: "apply", Object: keptName(d.Kind, d.Name), Reason: req.Reason, Outcome: d.Was,
			})
		}
	}
	if len(a.Keep) == 0 {
		return all, nil
	}
	kept, err := e.ledger.Amend(ctx, a)
	if err != nil {
		return nil, err
	}
	for i, n := 0, 0; i < len(all); i++ {
		if all[i].Was != Unchanged {
			all[i].Kept = kept[n]
			n++
		}
	}
	return all, nil
}

// applied says what documents are as they would be kept, and whether that is news.
func (e *Engine) applied(before []ledger.Kept, found []pipelines.KeptDocument, req ApplyRequest) ([]Applied, error) {
	was := map[[2]string]ledger.Kept{}
	for _, k := range before {
		was[[2]string{k.Kind, k.Name}] = k
	}
	all := make([]Applied, len(found))
	for i, d := range found {
		data, err := json.Marshal(d.Value)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "cannot encode %s %s", d.Kind, d.Name)
		}
		all[i] = Applied{ledger.Kept{Kind: d.Kind, Name: d.Name, Document: data, By: req.By, At: e.now()}, Created}
		old, known := was[[2]string{d.Kind, d.Name}]
		if err := all[i].Check(); err != nil {
			return nil, fault.Wrap(fault.CodeOf(err), err, "cannot keep %s %s", d.Kind, d.Name)
		}
		switch {
		case known && string(old.Document) == string(data):
			all[i] = Applied{old, Unchanged}
		case known && req.Reason == "":
			return nil, fault.New(fault.Invalid, "cannot change %s %s for no reason: it is kept already, by %s; give a --reason",
				d.Kind, d.Name, old.By)
		case known:
			all[i].Was = Changed
		case d.Kind == pipelines.KindFleet:
			if i := slices.IndexFunc(before, func(k ledger.Kept) bool { return k.Kind == pipelines.KindFleet }); i >= 0 {
				return nil, fault.New(fault.Invalid, "cannot keep Fleet %s: there is one Fleet, and it is called %s", d.Name, before[i].Name)
			}
		}
	}
	return all, nil
}

func besides(others []string) string {
	if len(others) == 0 {
		return ", and there are none"
	}
	return ", and not " + few(others)
}

// Delete has a document no longer be kept. It is fault.NotFound where none of that kind and name is, and fault.Refused where others
// need it.
func (e *Engine) Delete(ctx context.Context, kind, name, by, reason string) (dropped ledger.Kept, err error) {
	if reason == "" {
		return ledger.Kept{}, fault.New(fault.Invalid, "cannot delete %s for no reason", keptName(kind, name))
	}
	for range amendments {
		if dropped, err = e.delete(ctx, kind, name, e.named(by), reason); fault.CodeOf(err) != fault.Conflict {
			break
		}
	}
	return dropped, err
}

func (e *Engine) delete(ctx context.Context, kind, name, by, reason string) (ledger.Kept, error) {
	before, err := e.ledger.ListKept(ctx, "")
	if err != nil {
		return ledger.Kept{}, err
	}
	i := slices.IndexFunc(before, func(k ledger.Kept) bool { return k.Kind == kind && k.Name == name })
	if i < 0 {
		return ledger.Kept{}, fault.New(fault.NotFound, "cannot delete %s %s: none is kept", kind, name)
	}
	if pipelines.IsOfFleet(kind) {
		if by := unusable(before, slices.Delete(slices.Clone(before), i, i+1)); len(by) > 0 {
			return ledger.Kept{}, fault.New(fault.Refused, "cannot delete %s: it is needed by %s", keptName(kind, name), few(by))
		}
	}
	_, err = e.ledger.Amend(ctx, ledger.Amendment{Seen: before, Drop: before[i : i+1], Most: pipelines.MostKept, Entries: []ledger.Entry{{
		At: e.now(), Who: by, Command: "delete", Object: keptName(kind, name), Reason: reason, Outcome: "deleted",
	}}})
	return before[i], err
}

// Kept lists the kept documents of a kind, by name.
func (e *Engine) Kept(ctx context.Context, kind string) ([]ledger.Kept, error) {
	return e.ledger.ListKept(ctx, kind)
}

// keptOf is the kept document of a kind and name, or fault.NotFound.
func (e *Engine) keptOf(ctx context.Context, kind, name string) (ledger.Kept, error) {
	all, err := e.ledger.ListKept(ctx, kind)
	if err != nil {
		return ledger.Kept{}, err
	}
	for _, k := range all {
		if k.Name == name {
			return k, nil
		}
	}
	return ledger.Kept{}, fault.New(fault.NotFound, "there is no %s %s", kind, name)
}

// keptName is how a kept document is called in the audit, and where somebody bypasses it.
func keptName(kind, name string) string { return strings.ToLower(kind) + "/" + name }
