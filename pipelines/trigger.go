package pipelines

// Trigger says what becomes of components that a commit changes on the branch of a Source. Whoever may merge there does by it what it
// says: it is kept by those who say who may do what.
type Trigger struct {
	Metadata Metadata    `json:"metadata"`
	Spec     TriggerSpec `json:"spec"`
	Position Position    `json:"-"`
}

// TriggerSpec is the body of a Trigger.
type TriggerSpec struct {
	Description string         `json:"description,omitempty" is:"text"`
	Source      string         `json:"source" is:"name"`
	On          TriggerOn      `json:"on,omitempty"`                 // default merge
	Components  Selector       `json:"components"`                   // by name and the labels of their documents
	Pipeline    string         `json:"pipeline,omitempty" is:"name"` // default the component's
	Run         bool           `json:"run,omitempty"`                // the plan is started; else it is only made
	Approve     TriggerApprove `json:"approve,omitempty"`            // default by people, as for any run
	// people, without the author, who have to have approved what was merged as it was merged; default 1
	Reviewers int       `json:"reviewers,omitempty" range:"1..10"`
	WhileOpen WhileOpen `json:"whileOpen,omitempty"` // what becomes of it while a run of the component is open; default Queue
}

// TriggerOn is what a Trigger answers to.
type TriggerOn string

// What it may answer to.
const (
	OnMerge TriggerOn = "merge" // any change of the component
	OnImage TriggerOn = "image" // one of its images and version, and of nothing else
)

func (TriggerOn) values() []string { return []string{string(OnMerge), string(OnImage)} }

// TriggerApprove is whose approval a run has from its start.
type TriggerApprove string

// ApproveByMerge takes the review of what was merged for the approval of its plan.
const ApproveByMerge TriggerApprove = "by-merge"

func (TriggerApprove) values() []string { return []string{string(ApproveByMerge)} }

// WhileOpen is what becomes of a new version while a run of the component is open.
type WhileOpen string

// What may become of it.
const (
	OpenQueue     WhileOpen = "Queue"     // it waits until that has ended, and the newest that waits is started
	OpenSupersede WhileOpen = "Supersede" // that is aborted, and it is started once that has ended
	OpenRefuse    WhileOpen = "Refuse"    // it is left, and said so; the next commit may be started
)

func (WhileOpen) values() []string {
	return []string{string(OpenQueue), string(OpenSupersede), string(OpenRefuse)}
}

// Asked is how many people have to have approved what was merged; 0 where none has to.
func (s *TriggerSpec) Asked() int {
	if s.Approve != ApproveByMerge {
		return 0
	}
	return max(s.Reviewers, 1)
}
