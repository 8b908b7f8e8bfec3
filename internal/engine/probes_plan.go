package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/templates"
)

// unproven refuses cases that a plan would have be Enforcing without the record for it, where they are not so already: what is wrong half
// of the time must not hold what others change. It reports whether there is one.
func (e *Engine) unproven(ctx context.Context, live *plan.Live) (found bool, err error) {
	records, rendered := map[string]ProbeRecord{}, map[string]map[string]probing.ConfigSpec{}
	for i := range live.Clusters {
		c := &live.Clusters[i]
		for _, o := range c.Objects {
			name, is := configOf(o)
			if !is {
				continue
			}
			if rendered[c.Rendered] == nil {
				if rendered[c.Rendered], err = e.specs(ctx, c.Rendered); err != nil {
					return found, err
				}
			}
			of := rendered[c.Rendered][o.Object]
			if of.Enforcement.Mode != probing.Enforcing {
				continue
			}
			already, err := e.enforces(ctx, c.Cluster, name)
			if err != nil {
				return found, err
			}
			if already {
				continue
			}
			r, err := e.recordOnce(ctx, records, name, of)
			if err != nil {
				return found, err
			}
			if !r.Holds {
				found = true
				c.Refusals = append(c.Refusals, api.Refusal{Rule: api.RuleProbeRecord, Object: o.Object, Message: fmt.Sprintf(
					"case %s is to be Enforcing, and has only %s; let it be Advisory until then", name, strings.Join(r.Missing, ", and "))})
			}
		}
	}
	return found, nil
}

// configOf is the case of a ProbeConfig that is written; false where an object is none.
func configOf(o plan.Object) (string, bool) {
	kind, rest, _ := strings.Cut(o.Object, "/")
	if kind != probing.KindConfig || o.Action == "unchanged" {
		return "", false
	}
	return rest[strings.LastIndex(rest, "/")+1:], true
}

// specs are those of the cases among rendered objects, by Kind/namespace/name.
func (e *Engine) specs(ctx context.Context, digest string) (map[string]probing.ConfigSpec, error) {
	all := map[string]probing.ConfigSpec{}
	if digest == "" {
		return all, nil
	}
	data, err := e.ledger.Blob(ctx, digest)
	if err != nil {
		return nil, err
	}
	objects, err := templates.Decode(data)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "cannot read rendered objects %s", digest)
	}
	for _, o := range objects {
		if o.GetKind() != probing.KindConfig {
			continue
		}
		data, err := o.MarshalJSON()
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "cannot read case %s", o.GetName())
		}
		var c probing.Config
		if err := json.Unmarshal(data, &c); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "cannot read case %s", o.GetName())
		}
		all[probing.KindConfig+"/"+o.GetNamespace()+"/"+o.GetName()] = c.Spec
	}
	return all, nil
}

// enforces reports whether a case holds what changes in a cluster already.
func (e *Engine) enforces(ctx context.Context, cluster, probeCase string) (bool, error) {
	all, err := e.ledger.PageStands(ctx, ledger.ProbesOf{Cluster: cluster, Case: probeCase}, ledger.Page{Limit: 1})
	return len(all) > 0 && all[0].Row.Enforcement.Mode == probing.Enforcing, err
}

func (e *Engine) recordOnce(ctx context.Context, known map[string]ProbeRecord, name string, of probing.ConfigSpec) (ProbeRecord, error) {
	program := of.Program()
	key := fmt.Sprintf("%s %s %+v", name, program, of.Enforcement)
	if r, there := known[key]; there {
		return r, nil
	}
	r, err := e.ProbeRecord(ctx, name, program, of.Enforcement)
	if err == nil {
		known[key] = r
	}
	return r, err
}
