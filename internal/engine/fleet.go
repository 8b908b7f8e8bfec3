package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// ofTheLedger is how messages call the fleet that the ledger keeps.
const ofTheLedger = "the fleet of this installation"

// Fleet is the one that the ledger keeps for the whole installation. Where it has anything there is no other one: documents may repeat what
// it says, or leave it out. Scopes go by where clusters are, and whoever sends documents must not say that of his own.
type Fleet struct {
	revisions string // of what is kept: while they are the same, so is the fleet
	sources   []pipelines.Source
	names     map[string]bool       // of sources: no file is called so where they are loaded with it
	docs      *pipelines.Documents  // of sources
	broken    pipelines.Diagnostics // why some of what is kept is not among them
}

// Fleet reads the fleet that the ledger keeps. It is the same one for as long as nobody changes it.
func (e *Engine) Fleet(ctx context.Context) (*Fleet, error) {
	kept, err := e.ledger.ListKept(ctx, "")
	if err != nil {
		return nil, err
	}
	if read := e.ownFleet.Load(); read != nil && read.revisions == revisionsOf(kept) {
		return read, nil
	}
	read := fleetAmong(kept)
	e.ownFleet.Store(read)
	return read, nil
}

func revisionsOf(kept []ledger.Kept) string {
	var all strings.Builder
	for _, k := range kept {
		if pipelines.IsOfFleet(k.Kind) {
			fmt.Fprintln(&all, k.Revision)
		}
	}
	return all.String()
}

// kept reports whether there is one.
func (f *Fleet) kept() bool { return f.revisions != "" }

// Cluster is where a cluster is; false where the installation does not say.
func (f *Fleet) Cluster(name string) (at plan.Place, known bool) {
	if c := f.docs.Clusters[name]; c != nil {
		g := f.docs.ClusterGroups[c.Spec.Group]
		return plan.Place{
			Cluster: name, Context: c.Spec.Context, Site: c.Spec.Site, Group: c.Spec.Group, Environment: g.Spec.Environment,
			Labels: c.EffectiveLabels(g),
		}, true
	}
	return at, false
}

// Places returns what says where a cluster is.
func (e *Engine) Places(ctx context.Context) (func(cluster string) (plan.Place, bool), error) {
	own, err := e.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	return own.Cluster, nil
}

// Site are the clusters of a site, by name.
func (f *Fleet) Site(name string) (all []plan.Place) {
	for _, cluster := range slices.Sorted(maps.Keys(f.docs.Clusters)) {
		if at, known := f.Cluster(cluster); known && name != "" && at.Site == name {
			all = append(all, at)
		}
	}
	return all
}

// Members are the clusters of a group, by name.
func (f *Fleet) Members(group string) (all []plan.Place) {
	for _, cluster := range slices.Sorted(maps.Keys(f.docs.Clusters)) {
		if at, known := f.Cluster(cluster); known && at.Group == group {
			all = append(all, at)
		}
	}
	return all
}

// Group are the labels of a cluster group, its environment among them; nil where the installation does not say.
func (f *Fleet) Group(name string) map[string]string {
	if g := f.docs.ClusterGroups[name]; g != nil {
		return g.EffectiveLabels()
	}
	return nil
}

// fleetAmong reads a fleet among what is kept. What cannot be used is left out, with what needs it: an older program may read what a newer
// one has kept, and the way out of a fleet that is broken is to apply it anew.
func fleetAmong(kept []ledger.Kept) *Fleet {
	own := &Fleet{revisions: revisionsOf(kept), names: map[string]bool{}}
	for _, k := range kept {
		if !pipelines.IsOfFleet(k.Kind) {
			continue
		}
		name := k.Kind + " " + k.Name + " in " + ofTheLedger
		source, err := pipelines.KeptSource(name, k.Kind, k.Document)
		if err != nil {
			own.broken = append(own.broken, pipelines.Diagnostic{Position: pipelines.Position{File: name}, Message: err.Error()})
			continue
		}
		own.sources, own.names[name] = append(own.sources, source), true
	}
	for {
		docs, err := pipelines.Parse(own.sources...)
		var wrong pipelines.Diagnostics
		if own.docs = docs; !errors.As(err, &wrong) {
			return own
		}
		own.broken = append(own.broken, wrong...)
		before := len(own.sources)
		own.sources = slices.DeleteFunc(own.sources, func(s pipelines.Source) bool {
			return slices.ContainsFunc(wrong, func(d pipelines.Diagnostic) bool { return d.Position.File == s.Name })
		})
		if len(own.sources) == before { // nobody knows what is wrong
			own.sources = nil
		}
	}
}

// has reports whether it is the ledger that has what stands at a place.
func (f *Fleet) has(at pipelines.Position) bool { return f.names[at.File] }

// whole is fault.Invalid where a part of the fleet cannot be used: what is planned would leave it out without a word.
func (f *Fleet) whole() error {
	if len(f.broken) == 0 {
		return nil
	}
	said := make([]string, len(f.broken))
	for i, d := range f.broken {
		said[i] = d.Position.File + ": " + d.Message
	}
	return fault.New(fault.Invalid, "cannot use a part of %s: %s; apply it anew, or delete it", ofTheLedger, few(said))
}

// agrees is fault.Invalid, around pipelines.Diagnostics, where documents say something else of the fleet.
func (f *Fleet) agrees(docs *pipelines.Documents) error {
	if !f.kept() {
		return nil
	}
	kept := map[[2]string]any{}
	own, _ := f.docs.Kept()
	for _, d := range own {
		kept[[2]string{d.Kind, d.Name}] = d.Value
	}
	var wrong pipelines.Diagnostics
	said, _ := docs.Kept()
	for _, d := range said {
		if !pipelines.IsOfFleet(d.Kind) || f.has(d.Position) {
			continue
		}
		if is, known := kept[[2]string{d.Kind, d.Name}]; !known {
			wrong = append(wrong, pipelines.Diagnostic{Position: d.Position, Message: "there is no " + d.Kind + " " + d.Name + " in " + ofTheLedger})
		} else if where := differs("", asJSON(d.Value), asJSON(is)); where != "" {
			wrong = append(wrong, pipelines.Diagnostic{
				Position: d.Position, Message: d.Kind + " " + d.Name + " is another one in " + ofTheLedger + ", by its " + where,
			})
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong.Sorted()
}

func asJSON(value any) (decoded any) {
	if data, err := json.Marshal(value); err == nil {
		_ = json.Unmarshal(data, &decoded)
	}
	return decoded
}

// differs names a field of something that is not as it is kept, "" where it is equal. What is kept it does not say: whoever sends documents
// may not be one who may see it.
func differs(at string, said, kept any) string {
	s, both := said.(map[string]any)
	if k, ok := kept.(map[string]any); ok && both {
		fields := maps.Clone(s)
		maps.Copy(fields, k)
		for _, field := range slices.Sorted(maps.Keys(fields)) {
			if where := differs(strings.TrimPrefix(at+"."+field, "."), s[field], k[field]); where != "" {
				return where
			}
		}
		return ""
	}
	if reflect.DeepEqual(said, kept) {
		return ""
	}
	return at
}

// placed is fault.Refused where a plan, made before the fleet changed, places a cluster elsewhere than the ledger does.
func (e *Engine) placed(ctx context.Context, p *plan.Plan) error {
	own, err := e.Fleet(ctx)
	if err != nil || !own.kept() {
		return err
	}
	domains := map[string][]string{}
	for _, u := range p.AllUnits() {
		domains[u.Cluster] = u.Domains
	}
	var moved []string
	for _, said := range p.Places() {
		is, known := own.Cluster(said.Cluster)
		if !known {
			moved = append(moved, said.Cluster+" (is gone)")
			continue
		}
		of, isUnit := domains[said.Cluster]
		if !reflect.DeepEqual(said, is) || isUnit && !slices.Equal(of, own.docs.Fleet.DomainsOf(is.Labels)) {
			moved = append(moved, said.Cluster)
		}
	}
	if len(moved) == 0 {
		return nil
	}
	return fault.New(fault.Refused, "%s has changed since it was made: %s; plan again", ofTheLedger, few(moved))
}

// unusable lists what of a fleet cannot be used any more once some of what is kept is gone.
func unusable(before, after []ledger.Kept) (broken []string) {
	was := map[string]bool{}
	for _, d := range fleetAmong(before).broken {
		was[d.Position.File] = true
	}
	for _, d := range fleetAmong(after).broken {
		if !was[d.Position.File] && !slices.Contains(broken, d.Position.File) {
			broken = append(broken, d.Position.File)
		}
	}
	return broken
}
