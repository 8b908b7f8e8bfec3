package engine

import (
	"context"
	"path/filepath"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/templates"
)

// packed packs a component's template and stores it.
func packed(ctx context.Context, blobs ledger.Blobs, c *pipelines.Component) (digest string, err error) {
	folder := c.Spec.Template.Folder()
	body, err := templates.Pack(filepath.Join(c.Dir, folder))
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "cannot pack the template of component %s (%s)", c.Metadata.Name, folder)
	}
	return blobs.PutBlob(ctx, body)
}

// valuesStore merges and stores the values of places. Thousands of clusters share a few configurations: what depends on
// the same layers is merged once, and what is equal is stored once.
type valuesStore struct {
	ctx       context.Context
	blobs     ledger.Blobs
	component *pipelines.Component
	layers    map[layers]string // -> digest
	stored    map[string]bool   // by digest
}

// layers is what a merge depends on.
type layers struct {
	environment, networkDomain, group string
	cluster                           string // "" where the component has no layer for it
}

func newValuesStore(ctx context.Context, blobs ledger.Blobs, c *pipelines.Component) *valuesStore {
	return &valuesStore{ctx: ctx, blobs: blobs, component: c, layers: map[layers]string{}, stored: map[string]bool{}}
}

// digest returns the blob digest of a place's values.
func (s *valuesStore) digest(at pipelines.Place) (string, error) {
	key := layers{environment: at.Environment, networkDomain: at.NetworkDomain, group: at.Group}
	if _, own := s.component.Spec.Config.Clusters[at.Cluster]; own {
		key.cluster = at.Cluster
	}
	if digest, known := s.layers[key]; known {
		return digest, nil
	}
	values, err := templates.Values(s.component, at)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "cannot merge the config of component %s", s.component.Metadata.Name)
	}
	body, err := templates.CanonicalJSON(values)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "cannot write the values of component %s", s.component.Metadata.Name)
	}
	digest := ledger.Digest(body)
	if !s.stored[digest] {
		if digest, err = s.blobs.PutBlob(s.ctx, body); err != nil {
			return "", err
		}
		s.stored[digest] = true
	}
	s.layers[key] = digest
	return digest, nil
}
