package plan

import (
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// componentDigest names a component version: everything its document says, and its template.
func componentDigest(c *pipelines.Component, template string) (string, error) {
	digest, err := sum(struct {
		Name     string                  `json:"name"`
		Spec     pipelines.ComponentSpec `json:"spec"`
		Template string                  `json:"template"`
	}{c.Metadata.Name, c.Spec, template})
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "cannot take the digest of component %s", c.Metadata.Name)
	}
	return digest, nil
}

// targetDigest names what runs in a unit once it is done: all that a render depends on, but for what only the cluster can
// tell. It leaves out in which order workloads go, since that does not change what they become.
func targetDigest(p *Plan, place pipelines.Place, values string) string {
	source := p.Source
	source.WorkloadOrder = nil
	digest, err := sum(struct {
		Component string          `json:"component"`
		Version   string          `json:"version"`
		Source    Source          `json:"source"`
		Place     pipelines.Place `json:"place"`
		Values    string          `json:"values"`
	}{p.Subject.String(), p.Version, source, place, values})
	if err != nil {
		panic(err) // strings and flags only: they always encode
	}
	return digest
}
