package server

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/catalog"
)

func (s *server) language(a huma.API, e *engine.Engine) {
	on(s, a, wire.ListCatalog, nobody[wire.None](), func(context.Context, *wire.None) ([]catalog.Entry, error) { return e.Catalog() })
	on(s, a, wire.GetSchema, nobody[wire.OfKind](), func(_ context.Context, in *wire.OfKind) (map[string]any, error) {
		return schemaOf(in.Kind)
	})
}

func schemaOf(kind string) (schema map[string]any, err error) {
	text := pipelines.Schema()
	if kind != wire.AllKinds {
		all := pipelines.Schemas()
		if text = all[kind]; text == nil {
			return nil, fault.New(fault.NotFound, "there is no schema of %s: the kinds are %s",
				kind, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
		}
	}
	err = json.Unmarshal(text, &schema)
	return schema, fault.Wrap(fault.Internal, err, "cannot read the schema of %s", kind)
}
