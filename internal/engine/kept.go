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

// Apply keeps documents for the whole installation, whoever's files leave them out: of kinds that say what no pipeline may pass by. It
// is fault.Invalid where a document is of another kind, and where one that is kept is to change for no reason; then none is kept.
func (e *Engine) Apply(ctx context.Context, req ApplyRequest) ([]Applied, error) {
	req.By = e.named(req.By)
	before, err := e.ledger.ListKept(ctx, "")
	if err != nil {
		return nil, err
	}
	own, err := fleetOf(before)
	if err != nil {
		return nil, err
	}
	docs, err := req.load(own.library(nil))
	if err != nil {
		return nil, err
	}
	found, others := docs.Kept()
	found = slices.DeleteFunc(found, func(d pipelines.KeptDocument) bool { return isKept(d.Position) })
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
	was := map[[2]string]ledger.Kept{}
	for _, k := range before {
		was[[2]string{k.Kind, k.Name}] = k
	}
	if err := contradict(docs, before); err != nil {
		return nil, err
	}
	all := make([]Applied, len(found))
	for i, d := range found {
		data, err := json.Marshal(d.Value)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "cannot encode %s %s", d.Kind, d.Name)
		}
		all[i] = Applied{ledger.Kept{Kind: d.Kind, Name: d.Name, Document: data, By: req.By, At: e.now()}, Created}
		if old, known := was[[2]string{d.Kind, d.Name}]; known {
			all[i].Was = Changed
			if string(old.Document) == string(data) {
				all[i].Was = Unchanged
			}
		}
		if err := all[i].Check(); err != nil {
			return nil, fault.Wrap(fault.CodeOf(err), err, "cannot keep %s %s", d.Kind, d.Name)
		}
		if all[i].Was == Changed && req.Reason == "" {
			return nil, fault.New(fault.Invalid, "cannot change %s %s for no reason: it is kept already, by %s; give a --reason",
				d.Kind, d.Name, was[[2]string{d.Kind, d.Name}].By)
		}
	}
	for i := range all {
		if all[i].Kept, err = e.ledger.Keep(ctx, all[i].Kept, pipelines.MostKept(all[i].Kind)); err != nil {
			return all[:i], err
		}
		if all[i].Was == Unchanged {
			continue // a fleet of a thousand clusters is applied at each merge
		}
		err := e.audit(ctx, ledger.Entry{
			Who: req.By, Command: "apply", Object: keptName(all[i].Kind, all[i].Name), Reason: req.Reason, Outcome: all[i].Was,
		})
		if err != nil {
			return all[:i+1], err
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
func (e *Engine) Delete(ctx context.Context, kind, name, by, reason string) (ledger.Kept, error) {
	if reason == "" {
		return ledger.Kept{}, fault.New(fault.Invalid, "cannot delete %s for no reason", keptName(kind, name))
	}
	if err := e.spared(ctx, kind, name); err != nil {
		return ledger.Kept{}, err
	}
	dropped, err := e.ledger.Drop(ctx, kind, name)
	if err != nil {
		return ledger.Kept{}, err
	}
	return dropped, e.audit(ctx, ledger.Entry{
		Who: e.named(by), Command: "delete", Object: keptName(kind, name), Reason: reason, Outcome: "deleted",
	})
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
