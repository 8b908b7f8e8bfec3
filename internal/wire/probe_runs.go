package wire

import (
	"net/http"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
)

// ProbesBody has cases of probes run, or posts an event that cases answer to.
type ProbesBody struct {
	Why
	api.ProbeSubject
	Clusters []string `json:"clusters,omitempty" maxItems:"200" doc:"By name; or all of a group."`
	Group    string   `json:"group,omitempty" maxLength:"253"`
	Nodes    []string `json:"nodes,omitempty" maxItems:"50" doc:"Of one cluster; none: those that the cases are about."`
	Cause    string   `json:"cause,omitempty" maxLength:"100" doc:"What was asked for under the same one is not run again in a cluster."`
}

// ByProbeRun names cases that were run in a cluster.
type ByProbeRun struct {
	Cluster string `path:"cluster" minLength:"1" maxLength:"253"`
	Subject string `path:"subject" minLength:"1" maxLength:"260"`
	Cause   string `path:"cause" minLength:"1" maxLength:"100"`
}

// HealthAsked asks whether a cluster is healthy.
type HealthAsked struct {
	Cluster string    `path:"cluster" minLength:"1" maxLength:"253"`
	Since   time.Time `query:"since" doc:"Only what was begun after that is known."`
}

// Of probes that somebody has run.
var (
	RunProbes = Operation[struct {
		Key
		Body ProbesBody
	}, []api.Probed]{
		"run-probes", http.MethodPost, "/probe-runs", "Run cases of probes, or post an event that cases answer to.", "probes", false}
	GetProbeRun = Operation[ByProbeRun, api.Probed]{
		"get-probe-run", http.MethodGet, "/probe-runs/{cluster}/{subject}/{cause}", "Get what came of cases that were run.", "probes", false}
	GetHealth = Operation[HealthAsked, engine.HealthSignal]{
		"get-health", http.MethodGet, "/clusters/{cluster}/health", "Get what enforcing probes say of a cluster.", "probes", false}
)
