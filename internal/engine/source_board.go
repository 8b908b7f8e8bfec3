package engine

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/lint"
	"sluice.dev/sluice/internal/policy"
	"sluice.dev/sluice/pipelines"
)

// board is what each component is at one commit, by name: the newest version that the files have.
type board map[string]boardEntry

// boardEntry is what one component is. Two that are equal would be planned alike.
type boardEntry struct {
	Version string            `json:"version"`
	Digest  string            `json:"digest"` // of all of its document and its template
	Rest    string            `json:"rest"`   // of all but its version and images
	Labels  map[string]string `json:"labels,omitempty"`
}

// newest is the version of a component that a Source is about.
func newest(versions []*pipelines.Component) *pipelines.Component { return versions[len(versions)-1] }

// boardOf says what each component of documents is. Templates are kept in the ledger on the way, as a plan would keep them.
func (e *Engine) boardOf(ctx context.Context, docs *pipelines.Documents) (board, error) {
	all := board{}
	for _, name := range slices.Sorted(maps.Keys(docs.Components)) {
		c := newest(docs.Components[name])
		template, err := packed(ctx, e.ledger, c)
		if err != nil {
			return nil, err
		}
		whole, err := digestOf(c.Spec, template)
		if err != nil {
			return nil, err
		}
		rest := c.Spec
		rest.Version, rest.Images = "", nil
		others, err := digestOf(rest, template)
		if err != nil {
			return nil, err
		}
		all[name] = boardEntry{c.Spec.Version, whole, others, c.Metadata.Labels}
	}
	return all, nil
}

func digestOf(spec pipelines.ComponentSpec, template string) (string, error) {
	data, err := json.Marshal(spec)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "cannot write a component")
	}
	return ledger.Digest(append(data, template...)), nil
}

// changed names the components of a board that are other ones, or were not, on another.
func (b board) changed(before board) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if was, known := before[name]; !known || was.Digest != b[name].Digest {
			names = append(names, name)
		}
	}
	return names
}

// linted loads files, and is fault.Invalid where anything is wrong with them: what `sluice lint` would say.
func (e *Engine) linted(ctx context.Context, files Files) (*pipelines.Documents, error) {
	docs, err := e.Documents(ctx, files)
	if err != nil {
		return nil, err
	}
	wrong := slices.Concat(lint.Check(docs, lint.Options{}).Errors, policy.Lint(docs).Errors)
	if len(wrong) > 0 {
		return nil, fault.Wrap(fault.Invalid, wrong.Sorted(), "cannot take %s", strings.Join(files.Paths, ", "))
	}
	return docs, nil
}
