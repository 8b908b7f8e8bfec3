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

	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// ofTheLedger is how messages call the documents of the fleet that the ledger keeps.
const ofTheLedger = "the fleet of this installation"

// ownFleet is the fleet that the ledger keeps for the whole installation. Where it has a cluster there are no others: documents may repeat
// what it says, or leave it out. Scopes go by where clusters are, and whoever sends documents must not say that of his own.
type ownFleet struct {
	sources []pipelines.Source
	docs    *pipelines.Documents // nil where there is none
}

// fleet reads the fleet that the ledger keeps.
func (e *Engine) fleet(ctx context.Context) (ownFleet, error) {
	kept, err := e.ledger.ListKept(ctx, "")
	if err != nil {
		return ownFleet{}, err
	}
	return fleetOf(kept)
}

func fleetOf(kept []ledger.Kept) (own ownFleet, err error) {
	for _, k := range kept {
		if !slices.Contains(pipelines.FleetKinds(), k.Kind) {
			continue
		}
		source, err := pipelines.KeptSource(k.Kind+" "+k.Name+" in "+ofTheLedger, k.Kind, k.Document)
		if err != nil {
			return own, fault.Wrap(fault.Internal, err, "cannot read %s", source.Name)
		}
		own.sources = append(own.sources, source)
	}
	if len(own.sources) == 0 {
		return own, nil
	}
	own.docs, err = pipelines.Parse(own.sources...)
	return own, fault.Wrap(fault.Invalid, err, "cannot use %s: apply what is missing in it", ofTheLedger)
}

// isKept reports whether it is the ledger that has what stands at a place.
func isKept(at pipelines.Position) bool { return strings.HasSuffix(at.File, ofTheLedger) }

// library is what documents may refer to.
func (o ownFleet) library(library []pipelines.Source) []pipelines.Source {
	if o.docs == nil {
		return library
	}
	return slices.Concat(library, o.sources)
}

// agrees is fault.Invalid, around pipelines.Diagnostics, where documents say something else of the fleet.
func (o ownFleet) agrees(docs *pipelines.Documents) error {
	if o.docs == nil {
		return nil
	}
	kept, whole := map[[2]string]any{}, map[string]bool{} // a kind of which there is one is kept whole
	own, _ := o.docs.Kept()
	for _, d := range own {
		kept[[2]string{d.Kind, d.Name}], whole[d.Kind] = d.Value, true
	}
	var wrong pipelines.Diagnostics
	said, _ := docs.Kept()
	for _, d := range said {
		if !whole[d.Kind] || isKept(d.Position) {
			continue
		}
		if is, known := kept[[2]string{d.Kind, d.Name}]; !known {
			wrong = append(wrong, pipelines.Diagnostic{Position: d.Position, Message: "there is no " + d.Kind + " " + d.Name + " in " + ofTheLedger})
		} else if where := differs("", asJSON(d.Value), asJSON(is)); where != "" {
			wrong = append(wrong, pipelines.Diagnostic{
				Position: d.Position, Message: d.Kind + " " + d.Name + " is another one in " + ofTheLedger + ": " + where,
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

// differs says what of something is not as it is kept, and how; "" where it is equal.
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
	return fmt.Sprintf("its %s is %s here, and %s there", at, shown(said), shown(kept))
}

func shown(value any) string {
	if value == nil {
		return "not set"
	}
	return clip.Bytes(fmt.Sprint(value), 100)
}

// placed is fault.Refused where a plan, made before the fleet changed, places a cluster elsewhere than the ledger does.
func (e *Engine) placed(ctx context.Context, p *plan.Plan) error {
	own, err := e.fleet(ctx)
	if err != nil || own.docs == nil || len(own.docs.Clusters) == 0 {
		return err
	}
	var moved []string
	for _, u := range p.AllUnits() {
		c := own.docs.Clusters[u.Cluster]
		if c == nil {
			moved = append(moved, u.Cluster+" (is gone)")
			continue
		}
		g := own.docs.ClusterGroups[c.Spec.Group]
		if u.Group != c.Spec.Group || u.Environment != g.Spec.Environment || u.Context != c.Spec.Context || u.Site != c.Spec.Site ||
			!maps.Equal(u.Labels, c.EffectiveLabels(g)) {
			moved = append(moved, u.Cluster)
		}
	}
	if len(moved) == 0 {
		return nil
	}
	return fault.New(fault.Refused, "%s has changed since it was made: %s; plan again", ofTheLedger, few(moved))
}

// spared is fault.Refused where something of the fleet is needed by what would be left of it.
func (e *Engine) spared(ctx context.Context, kind, name string) error {
	if !slices.Contains(pipelines.FleetKinds(), kind) {
		return nil
	}
	kept, err := e.ledger.ListKept(ctx, "")
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(kept, func(k ledger.Kept) bool { return k.Kind == kind && k.Name == name })
	_, err = fleetOf(left)
	var wrong pipelines.Diagnostics
	if errors.As(err, &wrong) {
		needed := make([]string, len(wrong))
		for i, d := range wrong {
			needed[i] = d.Position.File
		}
		return fault.New(fault.Refused, "cannot delete %s: it is needed by %s", keptName(kind, name), few(slices.Compact(needed)))
	}
	return err
}
