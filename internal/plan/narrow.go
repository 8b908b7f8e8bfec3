package plan

import (
	"slices"
	"strings"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// Only names some clusters: those named, and those of the cluster groups named. The zero value names none.
type Only struct {
	Clusters []string
	Groups   []string
}

func (o Only) empty() bool { return len(o.Clusters) == 0 && len(o.Groups) == 0 }

func (o Only) names(p pipelines.Place) bool {
	return slices.Contains(o.Clusters, p.Cluster) || slices.Contains(o.Groups, p.Group)
}

// takes reports whether a run narrowed in this way moves a place.
func (in *Input) takes(p pipelines.Place) bool {
	return (in.Only.empty() || in.Only.names(p)) && !in.Exclude.names(p)
}

// narrowing says in which way the run is narrowed; "" where it is not.
func (in *Input) narrowing() string {
	switch {
	case in.Exclude.empty() && in.Only.empty():
		return ""
	case in.Exclude.empty():
		return "the run is narrowed to " + in.Only.String()
	case in.Only.empty():
		return "the run leaves out " + in.Exclude.String()
	}
	return "the run is narrowed to " + in.Only.String() + ", without " + in.Exclude.String()
}

func (o Only) String() string {
	return strings.Join(append(slices.Sorted(slices.Values(o.Groups)), slices.Sorted(slices.Values(o.Clusters))...), ", ")
}

// narrowing is one of the ways in which a plan is narrowed, with the words for it.
type narrowing struct {
	Only
	cannot string
}

func (in *Input) narrowings() []narrowing {
	return []narrowing{{in.Only, "cannot narrow the plan to"}, {in.Exclude, "cannot leave out of the plan"}}
}

// known refuses names that no document declares.
func (n narrowing) known(b *builder) error {
	for _, name := range n.Clusters {
		if b.fleet.places[name] == nil {
			return fault.New(fault.Invalid, "%s cluster %s: no document declares it", n.cannot, name)
		}
	}
	for _, name := range n.Groups {
		if b.in.Documents.ClusterGroups[name] == nil {
			return fault.New(fault.Invalid, "%s cluster group %s: no document declares it", n.cannot, name)
		}
	}
	return nil
}

// taken refuses names that no stage selects: whoever wrote them meant something else.
func (n narrowing) taken(b *builder, pipeline string) error {
	for _, name := range n.Clusters {
		if b.taken[name] == "" {
			return fault.New(fault.Invalid, "%s cluster %s: no stage of pipeline %s selects it", n.cannot, name, pipeline)
		}
	}
	for _, name := range n.Groups {
		if b.groups[name] == 0 {
			return fault.New(fault.Invalid, "%s cluster group %s: no stage of pipeline %s selects a cluster of it", n.cannot, name, pipeline)
		}
	}
	return nil
}
