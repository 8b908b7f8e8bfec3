package plan

import (
	"fmt"
	"strconv"
	"strings"

	"sluice.dev/sluice/pipelines"
)

// Sighted is what an agent says of its cluster. It weighs where the fleet's documents say nothing.
type Sighted struct {
	Nodes   int
	Pods    int
	Zones   []string
	Version string // of Kubernetes, such as v1.36.3
}

// size goes by what the fleet says, else by what an agent counted. That is rounded to two digits: a plan that is made again a minute later
// is the same one though a node has come.
func (s *scorer) size(p *placement) (float64, string) {
	size := p.cluster.Spec.Size
	seen := s.seen[p.cluster.Metadata.Name]
	if size.Nodes > 0 || size.Pods > 0 || seen.Nodes <= 0 {
		return sizePart(size)
	}
	part, value := sizePart(pipelines.Size{Nodes: twoDigits(seen.Nodes), Pods: twoDigits(seen.Pods)})
	return part, "about " + value + ", as its agent says"
}

// twoDigits is a number with two digits that count.
func twoDigits(n int) int {
	unit := 1
	for n/unit >= 100 {
		unit *= 10
	}
	return n / unit * unit
}

// zonesPart is 1 for a cluster in one zone, and less for each more. What nobody said is neither safe nor dangerous.
func zonesPart(zones []string) (float64, string) {
	if len(zones) == 0 {
		return unsaid, "not said"
	}
	return 1 / float64(len(zones)), count(len(zones), "zone")
}

// versionPart is 0 for a cluster of the version that most have: what was tried there is tried here. It grows by half with each minor
// version that lies between.
func versionPart(version, common string) (float64, string) {
	own, most := minorOf(version), minorOf(common)
	if own < 0 || most < 0 {
		return unsaid, "not said"
	}
	apart := max(own-most, most-own)
	return float64(min(apart, 2)) / 2, fmt.Sprintf("%s, most have 1.%d", version, most)
}

// mostCommon is the minor version that most clusters have, the older of equals.
func mostCommon(seen map[string]Sighted) string {
	counts := map[int]int{}
	for _, s := range seen {
		if m := minorOf(s.Version); m >= 0 {
			counts[m]++
		}
	}
	best := -1
	for m, n := range counts {
		if best < 0 || n > counts[best] || n == counts[best] && m < best {
			best = m
		}
	}
	if best < 0 {
		return ""
	}
	return fmt.Sprintf("v1.%d", best)
}

// minorOf is the minor version of Kubernetes 1; below 0 where it is none.
func minorOf(version string) int {
	rest, is := strings.CutPrefix(version, "v1.")
	if !is {
		return -1
	}
	minor, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(strings.TrimRight(minor, "+"))
	if err != nil || n < 0 || n > 1000 {
		return -1
	}
	return n
}
