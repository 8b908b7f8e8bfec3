package pipelines

import (
	"reflect"

	"github.com/invopop/jsonschema"
	"go.yaml.in/yaml/v4"
)

// Soak is the quiet time after a unit. Whole seconds; at most 30 days.
type Soak struct {
	Batch   *BatchSoak `json:"batch,omitempty"`
	Cluster *Duration  `json:"cluster,omitempty"`
	Group   *Duration  `json:"group,omitempty"`
	Stage   *Duration  `json:"stage,omitempty"`
}

// BatchSoak is the quiet time after a batch. A duration alone is that of the rest.
type BatchSoak struct {
	First *Duration `json:"first,omitempty"` // after the first batch of a cluster; default as the rest
	Rest  *Duration `json:"rest,omitempty"`  // after every other; default 0
	// no batch's soak is over before each background check was measured so often since its pods arrived; default off
	MinSamples int `json:"minSamples,omitempty" range:"1..10000"`
}

func noSoak() *Soak {
	none := func() *Duration { return new(Duration(0)) }
	return &Soak{Batch: &BatchSoak{Rest: none()}, Cluster: none(), Group: none(), Stage: none()}
}

func (s *Soak) overlaid(over Soak) *Soak {
	merged := *s
	if over.Batch != nil {
		merged.Batch = s.Batch.overlaid(*over.Batch)
	}
	if over.Cluster != nil {
		merged.Cluster = over.Cluster
	}
	if over.Group != nil {
		merged.Group = over.Group
	}
	if over.Stage != nil {
		merged.Stage = over.Stage
	}
	return &merged
}

func (s *BatchSoak) overlaid(over BatchSoak) *BatchSoak {
	merged := *s
	if over.First != nil {
		merged.First = over.First
	}
	if over.Rest != nil {
		merged.Rest = over.Rest
	}
	if over.MinSamples > 0 {
		merged.MinSamples = over.MinSamples
	}
	return &merged
}

func (d *decoder) batchSoak(n *yaml.Node, v reflect.Value, s subject) bool {
	if n.Kind == yaml.MappingNode {
		return d.structure(n, v)
	}
	var rest Duration
	if !d.duration(n, reflect.ValueOf(&rest).Elem(), s) {
		return false
	}
	v.Set(reflect.ValueOf(BatchSoak{Rest: &rest}))
	return true
}

// orDuration lets the schema of a soak be written with a duration for its batches, as batchSoak reads it.
func orDuration(soak *jsonschema.Schema) {
	fields, ok := soak.Properties.Get("batch")
	if !ok {
		panic("a soak has no field batch") // any test that asks for a schema finds it
	}
	soak.Properties.Set("batch", &jsonschema.Schema{
		AnyOf: []*jsonschema.Schema{mapType(reflect.TypeFor[Duration]()), {Ref: fields.Ref}}, Description: fields.Description,
	})
}

func (l *linter) soak(s *Soak, at spot) {
	if s == nil {
		return
	}
	if b, batch := s.Batch, at.at("batch"); b != nil {
		l.wait(b.First, batch.at("first"), "soak.batch.first")
		l.wait(b.Rest, batch.at("rest"), "soak.batch")
	}
	l.wait(s.Cluster, at.at("cluster"), "soak.cluster")
	l.wait(s.Group, at.at("group"), "soak.group")
	l.wait(s.Stage, at.at("stage"), "soak.stage")
}
