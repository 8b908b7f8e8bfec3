package uplink

import (
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
)

// Unit names a component in a cluster, and where it counts the run in question.
type Unit struct {
	Cluster string      `json:"cluster"`
	Subject api.Subject `json:"component,omitempty"`
	Run     string      `json:"run,omitempty"`
}

// Of is the unit that a request is about, whatever else it says.
func (u Unit) Of() Unit { return u }

// The calls by which an agent reads and writes the records of its own clusters. Each is the ledger's method of that name.
var (
	Plan             = Method[string, PlanOfSite]{"Plan"}
	Run              = Method[string, RunOfSite]{"Run"}
	Overtaken        = Method[string, ledger.Run]{"Overtaken"}
	ListRuns         = Method[RunsAsked, []ledger.Run]{"ListRuns"}
	Deployment       = Method[Unit, ledger.Deployment]{"Deployment"}
	PastDeployment   = Method[PastAsked, ledger.Deployment]{"PastDeployment"}
	SaveDeployment   = Method[ledger.Deployment, None]{"SaveDeployment"}
	RemoveDeployment = Method[Unit, None]{"RemoveDeployment"}
	ListWrites       = Method[Unit, []ledger.Write]{"ListWrites"}
	ListMade         = Method[Unit, []ledger.Write]{"ListMade"}
	SaveWrite        = Method[ledger.Write, None]{"SaveWrite"}
	ListPreImages    = Method[Unit, []ledger.PreImage]{"ListPreImages"}
	ListEraWrites    = Method[Unit, []ledger.Write]{"ListEraWrites"}
	SavePreImage     = Method[ledger.PreImage, None]{"SavePreImage"}
	EndPreImages     = Method[EndAsked, None]{"EndPreImages"}
	NextFence        = Method[FenceAsked, int64]{"NextFence"}
	SaveObservation  = Method[ledger.Observation, None]{"SaveObservation"}
	ListObservations = Method[api.Subject, []ledger.Observation]{"ListObservations"}
)

// PlanOfSite is a plan with the units of one site: the digest of its body is not that of the whole one.
type PlanOfSite struct {
	Plan ledger.Plan `json:"plan"` // Body is the digest of the body here
	Body []byte      `json:"body"`
}

// RunOfSite is a run, as far as a site is concerned.
type RunOfSite struct {
	Run  ledger.Run `json:"run"`
	Live []byte     `json:"live,omitempty"` // what was seen of the site when it was started; none where that holds it to nothing
}

// RunsAsked asks for the newest runs of a component.
type RunsAsked struct {
	Subject api.Subject `json:"component"`
	Limit   int         `json:"limit"`
}

// PastAsked asks for a deployment that was.
type PastAsked struct {
	Unit
	Target string `json:"target"`
}

// EndAsked ends the pre-images of an era.
type EndAsked struct {
	Unit
	By string `json:"by"` // the run that gave them back
}

// FenceAsked asks for a number above a floor.
type FenceAsked struct {
	Unit
	Floor int64 `json:"floor"`
}

// Report is something that an agent did or saw while the link was down: the outcome of a write whose intent the ledger has, or a sighting.
type Report struct {
	Write       *ledger.Write       `json:"write,omitempty"`
	Observation *ledger.Observation `json:"observation,omitempty"`
}

// Key is what a later report stands in the place of.
func (r Report) Key() string {
	switch {
	case r.Write != nil:
		return strings.Join([]string{"write", r.Write.Run, r.Write.Cluster, r.Write.Object, r.Write.Step}, "\n")
	case r.Observation != nil:
		return strings.Join([]string{"observation", r.Observation.Cluster, r.Observation.Subject.String()}, "\n")
	}
	return ""
}

// ReportLate tells what could not be told in its time. What has been overtaken since is left out.
var ReportLate = Method[[]Report, None]{"ReportLate"}
