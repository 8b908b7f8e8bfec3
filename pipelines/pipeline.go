package pipelines

// Pipeline orders units into stages and hangs checks on them. It names no component.
type Pipeline struct {
	Metadata Metadata     `json:"metadata"`
	Spec     PipelineSpec `json:"spec"`
	Position Position     `json:"-"`
}

// PipelineSpec is the body of a Pipeline.
type PipelineSpec struct {
	Description string      `json:"description,omitempty"`
	Params      []Param     `json:"params,omitempty" items:"0..50"`
	Defaults    Rules       `json:"defaults,omitempty"`
	Stages      []Stage     `json:"stages" items:"1..50"`
	MaxFailures *Amount     `json:"maxFailures,omitempty"` // failed clusters that the whole run bears; default as many as its stages
	OnFailure   OnFailure   `json:"onFailure,omitempty"`   // default Pause
	Exceptions  []Exception `json:"exceptions,omitempty" items:"0..100"`

	// Tasks are done once a run, before the first stage: what fails here keeps it from moving.
	Tasks    []PipelineTask `json:"tasks,omitempty" items:"0..100"`
	Finally  []PipelineTask `json:"finally,omitempty" items:"0..100"` // once at the end, beside each other, whatever happened
	Timeouts *Timeouts      `json:"timeouts,omitempty"`
	// what a run hands out at its end: of each that was yielded, at most 4096 bytes together
	Results []PipelineResult `json:"results,omitempty" items:"0..50"`
}

// OnFailure says what a run does once its failure budget is spent.
type OnFailure string

// What a run does.
const (
	Pause    OnFailure = "Pause"
	Rollback OnFailure = "Rollback"
	Continue OnFailure = "Continue"
)

func (OnFailure) values() []string {
	return []string{string(Pause), string(Rollback), string(Continue)}
}

// Exception lets one forbidden change through, for one object, with a reason that is kept in the audit.
type Exception struct {
	Rule   string `json:"rule" is:"text"`
	Object string `json:"object" is:"object"` // Kind/name, Kind/namespace/name
	Reason string `json:"reason" is:"text"`
}

// Stage is a step of a pipeline over the clusters that it selects. What it leaves out of Rules comes from the
// pipeline's defaults, then from the built-in careful ones.
type Stage struct {
	Name          string    `json:"name" is:"name"`
	ClusterGroups *Selector `json:"clusterGroups,omitempty"`
	Clusters      *Selector `json:"clusters,omitempty"` // narrows the groups' clusters; default all
	// skip the stage where it selects no cluster, instead of refusing the plan
	MayBeEmpty bool `json:"mayBeEmpty,omitempty"`
	Approvals  int  `json:"approvals,omitempty" range:"0..10"` // short for approval: {minApprovals: N}
	// who must approve the plan before the stage starts; default nobody
	Approval *Approval `json:"approval,omitempty"`
	Rules    `json:",inline"`
	Position Position `json:"-"`
}

// Stage finds a stage by its name, or returns nil.
func (p *Pipeline) Stage(name string) *Stage {
	for i := range p.Spec.Stages {
		if p.Spec.Stages[i].Name == name {
			return &p.Spec.Stages[i]
		}
	}
	return nil
}
