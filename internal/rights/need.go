// Package rights says what a worker asks of the API server of a cluster, and makes the roles of it that RBAC takes: what Sluice does in
// every cluster, what the kinds of given components take, and what the steps of given tasks look at. It asks no cluster.
package rights

import (
	"cmp"
	"slices"
)

// Need is something that a worker asks for, and why.
type Need struct {
	Group    string
	Resource string   // its plural name, with its subresource where it is about that: pods/log
	Names    []string // of the only objects that it is about; nil is all
	URLs     []string // paths of the API server, instead of a resource
	Verbs    []string
	Place    Place
	Why      string
}

// Place is where something is asked for.
type Place struct {
	kind placeKind
	name string
}

type placeKind int

const (
	outside   placeKind = iota // what lives in no namespace
	somewhere                  // a namespace that is known only once it is asked for
	ofUnits                    // the namespaces of workloads
	within                     // one namespace
)

// Outside is the place of what lives in no namespace, Anywhere that of what may be in each, OfUnits that of what is beside the
// workloads of components.
var (
	Outside  = Place{kind: outside}
	Anywhere = Place{kind: somewhere}
	OfUnits  = Place{kind: ofUnits}
)

// In is a namespace.
func In(namespace string) Place { return Place{kind: within, name: namespace} }

// verbs is the order in which verbs are written.
var verbs = []string{"get", "list", "watch", "create", "update", "patch", "delete"}

func orderVerbs(a, b string) int {
	i, j := slices.Index(verbs, a), slices.Index(verbs, b)
	if i < 0 || j < 0 {
		return cmp.Or(cmp.Compare(j, i), cmp.Compare(a, b)) // what is not among them comes last
	}
	return cmp.Compare(i, j)
}
