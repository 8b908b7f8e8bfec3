package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/program"
)

// Scripts are the checks that are an executable on the worker: those that whoever started the worker allows, by name.
type Scripts struct {
	allowed map[string]string
	mask    func(string) string
}

// NewScripts returns the kind of check. Allowed are the paths of executables by the names that checks call them by. Mask takes
// secrets out of what is quoted of them.
func NewScripts(allowed map[string]string, mask func(string) string) *Scripts {
	return &Scripts{maps.Clone(allowed), mask}
}

// Ask runs the executable. It does not outlive the question.
func (s *Scripts) Ask(ctx context.Context, q Question) Finding {
	name := q.Step.Script.Name
	path, ok := s.allowed[name]
	if !ok {
		return Finding{Verdict: api.Error, Message: fmt.Sprintf("this worker does not allow the script %s: %s. "+
			"Whoever runs it can: sluice worker --allow-script %s=PATH", name, s.others(), name)}
	}
	variables, err := environment(q)
	if err != nil {
		return Finding{Verdict: api.Error, Message: err.Error()}
	}
	env := make([]string, 0, len(variables))
	for _, v := range variables {
		env = append(env, v.name+"="+v.value)
	}
	ran, err := program.Run(ctx, program.Program{Path: path, Args: q.Step.Script.Args, Env: env})
	if err != nil {
		return Finding{Verdict: api.Error, Message: s.mask(err.Error())}
	}
	said, cut := ran.LastLine()
	if cut {
		why := fmt.Sprintf("its last line is longer than %d bytes: what it reports is not known", program.Most)
		return Finding{Verdict: api.Error, Message: why}
	}
	if !strings.HasPrefix(said, "{") {
		said = ran.Tail()
	}
	f := judged(ran.Exit, said, q.Step.Script.Results, s.mask)
	f.Message = s.mask(f.Message)
	f.Seen["seconds"] = ran.Took.Seconds()
	return f
}

func (s *Scripts) others() string {
	if len(s.allowed) == 0 {
		return "it allows none"
	}
	return "it allows " + strings.Join(slices.Sorted(maps.Keys(s.allowed)), ", ")
}
