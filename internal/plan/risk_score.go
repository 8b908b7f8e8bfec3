package plan

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"strconv"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// A cluster of this many nodes or pods counts as largest. These are the sizes up to which Kubernetes itself is tested.
const (
	SizeNodes = 5_000
	SizePods  = 150_000
)

// unsaid is the part of what nobody said: neither safe nor dangerous.
const unsaid = 0.5

// scorer weighs clusters. A score is 100 x the weighted mean of its parts, so it stays within 0..100 whatever the weights.
// Where the fleet does not say what a part weighs, it weighs what it does in pipelines.DefaultFleet.
type scorer struct {
	weights      []float64 // of pipelines.RiskParts, in that order
	total        float64
	environments map[string]float64
	risk         pipelines.RiskSpec
	class        pipelines.Risk
	seen         map[string]Sighted
	common       string // the minor version of Kubernetes that most clusters have
}

func newScorer(fleet pipelines.FleetSpec, class pipelines.Risk, seen map[string]Sighted) (*scorer, error) {
	s := &scorer{risk: fleet.Risk, class: class, environments: map[string]float64{}, seen: seen, common: mostCommon(seen)}
	defaults := pipelines.DefaultFleet().Spec
	for _, part := range pipelines.RiskParts() {
		w := known(fleet.Risk.Weights, part, defaults.Risk.Weights[part])
		if !(w >= 0) || math.IsInf(w, 0) {
			return nil, fault.New(fault.Invalid, "cannot weigh risk: the weight of %s is %v; it must be 0 or more", part, w)
		}
		s.weights = append(s.weights, w)
		s.total = float64(s.total + w)
	}
	for _, part := range sortedKeys(fleet.Risk.Weights) {
		if !slices.Contains(pipelines.RiskParts(), part) {
			return nil, fault.New(fault.Invalid, "cannot weigh risk: no part of a score is called %s", part)
		}
	}
	if s.total == 0 || math.IsInf(s.total, 0) {
		return nil, fault.New(fault.Invalid, "cannot weigh risk: the weights add up to %v", s.total)
	}
	last := max(len(fleet.Environments)-1, 1)
	for i, name := range fleet.Environments {
		s.environments[name] = float64(i) / float64(last)
	}
	return s, nil
}

// score returns the risk of a cluster in hundredths of a point, so that sums and comparisons are exact, and why: the
// points of the reasons add up to it. Parts that give nothing are left out.
func (s *scorer) score(p *placement) (int, []Reason) {
	points := make([]float64, len(s.weights))
	values := make([]string, len(s.weights))
	sum := 0.0
	for i, name := range pipelines.RiskParts() {
		part, value := s.part(name, p)
		// The conversions keep every architecture from fusing multiplication and addition, which would round differently.
		points[i], values[i] = float64(float64(100*s.weights[i])*clamp(part))/s.total, value
		sum = float64(sum + points[i])
	}
	total := hundredths(sum)
	reasons := make([]Reason, 0, len(points))
	for i, n := range apportion(points, total) {
		if n > 0 {
			reasons = append(reasons, Reason{Name: pipelines.RiskParts()[i], Value: values[i], Points: float64(n) / 100})
		}
	}
	slices.SortFunc(reasons, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(b.Points, a.Points), cmp.Compare(a.Name, b.Name))
	})
	return total, reasons
}

// apportion rounds points to hundredths that add up to total: each is rounded down, and what is missing goes to those that
// lost most, the first of equals.
func apportion(points []float64, total int) []int {
	shares, lost := make([]int, len(points)), make([]float64, len(points))
	order := make([]int, len(points))
	missing := total
	for i, p := range points {
		scaled := float64(p * 100)
		shares[i], order[i] = int(scaled), i
		lost[i] = float64(scaled - float64(shares[i]))
		missing -= shares[i]
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(lost[b], lost[a]) })
	for _, i := range order[:min(max(missing, 0), len(order))] {
		shares[i]++
	}
	return shares
}

// part returns a part of a cluster's score, from 0 to 1, and what it was made of. What is not known counts as the worst
// where it has a worst.
func (s *scorer) part(name string, p *placement) (float64, string) {
	switch name {
	case pipelines.RiskEnvironment:
		return known(s.environments, p.Environment, 1), said(p.Environment)
	case pipelines.RiskUserGrade:
		return float64(p.cluster.Spec.UserGrade) / 10, strconv.Itoa(p.cluster.Spec.UserGrade) + " of 10"
	case pipelines.RiskSize:
		return s.size(p)
	case pipelines.RiskComponent:
		return classPart(s.class), string(s.class)
	case pipelines.RiskRole:
		if p.cluster.Spec.Role == pipelines.Centre {
			return 1, string(pipelines.Centre)
		}
		return .3, string(pipelines.UnitRole)
	case pipelines.RiskZones:
		return zonesPart(s.seen[p.cluster.Metadata.Name].Zones)
	case pipelines.RiskVersion:
		return versionPart(s.seen[p.cluster.Metadata.Name].Version, s.common)
	case pipelines.RiskBusinessSide:
		return known(s.risk.BusinessSides, p.BusinessSide, unsaid), said(p.BusinessSide)
	default:
		return known(s.risk.NetworkDomains, p.NetworkDomain, unsaid), said(p.NetworkDomain)
	}
}

// classPart is how dangerous a component says it is.
func classPart(class pipelines.Risk) float64 {
	switch class {
	case pipelines.Low:
		return .2
	case pipelines.Medium:
		return .5
	default:
		return 1
	}
}

// sizePart grows with the logarithm of nodes or pods. A cluster that does not say its size is not taken for a small one.
func sizePart(size pipelines.Size) (float64, string) {
	switch {
	case size.Nodes <= 0 && size.Pods <= 0:
		return unsaid, "not said"
	case size.Pods <= 0:
		return scale(size.Nodes, SizeNodes), count(size.Nodes, "node")
	case size.Nodes <= 0:
		return scale(size.Pods, SizePods), count(size.Pods, "pod")
	default:
		text := count(size.Nodes, "node") + " and " + count(size.Pods, "pod")
		return max(scale(size.Nodes, SizeNodes), scale(size.Pods, SizePods)), text
	}
}

// scale is log(1+n)/log(1+limit), at most 1.
func scale(n, limit int) float64 { return min(log2(1+n)/log2(1+limit), 1) }

// log2 is the base-2 logarithm of n >= 1, straight between powers of two. math.Log2 may differ in its last bit from one
// architecture to the next, and a plan must not.
func log2(n int) float64 {
	k := bits.Len(uint(n)) - 1
	return float64(k) + float64(n-1<<k)/float64(uint(1)<<k)
}

func known(parts map[string]float64, name string, otherwise float64) float64 {
	if v, ok := parts[name]; ok {
		return v
	}
	return otherwise
}

func said(value string) string {
	if value == "" {
		return "not said"
	}
	return value
}

func clamp(part float64) float64 {
	if !(part >= 0) {
		return 0
	}
	return min(part, 1)
}

func hundredths(points float64) int { return int(math.Round(float64(points * 100))) }
