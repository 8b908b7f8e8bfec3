package pipelines

// Script runs an executable on the worker, one of those that whoever started the worker allows by name (sluice worker
// --allow-script NAME=PATH); any other is an error. It gets no shell, no input and none of the worker's environment: args as they
// are, params as PARAM_NAME, what is known of the unit as SLUICE_CLUSTER and the like. Its exit status is judged as a job's; the
// last line of what it prints may say more, as a job's termination message does. A program that runs in the cluster is a job.
type Script struct {
	Name    string       `json:"name" is:"name"` // under which the worker allows it
	Args    []string     `json:"args,omitempty" items:"1..100" expand:"list"`
	Results []TaskResult `json:"results,omitempty" items:"1..50"` // what it hands to steps after it
}

func lintScript(l *linter, s *Step, at spot) { l.programResults(s.Script.Results, at) }
