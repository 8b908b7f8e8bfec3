package prober

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/kuberhealthy"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/internal/probing"
)

// Codes of results that no program has reported.
const (
	codeNoCase    = "NoCase"       // the case is not there
	codeInvalid   = "PodInvalid"   // no pod can be made of the case
	codeRefused   = "PodRefused"   // the API server does not take the pod: a quota, a standard, an account
	codeUnreached = "Unreachable"  // the API server did not take it in time
	codeNoRoom    = "NoRoom"       // others were before it for too long
	codeNode      = "NodeNotReady" // its node is not well
	codeBegun     = "NotStarted"   // its pod did not begin in time
	codeTimeout   = "Timeout"      // its program did not come to an end
	codeAway      = "ProberAway"   // nobody could take its report
	codeUnsaid    = "NoReport"     // a program that has to report has not
	codeSilent    = "Silent"       // a resident that does not report any more
	codeEnded     = "Ended"        // a resident that has ended
	codeReplaced  = "Replaced"     // a resident whose next one runs
	codeNotLooked = "NotLookedAt"  // a target that nobody looks at any more
	codeExit      = "ExitStatus"
	codeSignal    = "Signal"
	codeCommand   = "CommandNotFound"
	codeMuddled   = "Contradiction" // what it says and how it ends do not fit
)

// Where a result comes from.
const (
	byExit       = "exit"
	byController = "controller"
)

// exitCannotTell is EX_TEMPFAIL of sysexits.
const exitCannotTell = 75

// couldNot is a result of the prober's own: it could not look.
func couldNot(code, format string, args ...any) probing.Result {
	message := clip.Bytes(fmt.Sprintf(format, args...), probing.MaxMessage)
	return probing.Result{Verdict: api.Error, Code: code, Message: message, By: byController}
}

// judge is the result of a run whose pod has ended without a report: as of a job's, by how its program ended, and what it said last.
func judge(end pod.End) probing.Result {
	if end.Reason != "" {
		return couldNot(end.Reason, "its pod could not run to its end: %s", joined(end.Reason, end.Said))
	}
	r := probing.Result{By: byExit, Message: clip.Bytes(strings.TrimSpace(end.Said), probing.MaxMessage)}
	switch exit := end.Exit; {
	case exit == 0:
		r.Verdict = api.Passed
	case exit == exitCannotTell:
		r.Verdict, r.Code = api.Inconclusive, codeExit
	case exit == 126 || exit == 127:
		r.Verdict, r.Code = api.Error, codeCommand
	case exit > 128 && exit <= 192:
		r.Verdict, r.Code = api.Error, codeSignal
	default:
		r.Verdict, r.Code = api.Failed, codeExit
	}
	if m, ok := messageOf(end.Said); ok {
		return m.result(r, end.Exit)
	}
	if end.Exit != 0 {
		r.Message = clip.Bytes(joined(fmt.Sprintf("exit status %d", end.Exit), r.Message), probing.MaxMessage)
	}
	return r
}

func joined(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}

// said is a report in a termination message: the body of one that is sent, or what is under sluice in it.
type said struct {
	OK     *bool    `json:"ok"`
	Errors []string `json:"errors"`
	Sluice *told    `json:"sluice"`
	told
}

type told struct {
	Verdict      api.Verdict                `json:"verdict"`
	Code         string                     `json:"code"`
	Severity     string                     `json:"severity"`
	Message      string                     `json:"message"`
	Observations map[string]json.RawMessage `json:"observations"`
	Parts        []probing.Part             `json:"parts"`
}

// messageOf reads a termination message that is a report.
func messageOf(text string) (said, bool) {
	var m said
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &m) != nil {
		return said{}, false
	}
	if m.Sluice != nil {
		m.told = *m.Sluice
	}
	return m, true
}

// result is what a report says of a program that ended so. One that passed, and whose program did not, has not looked.
func (m said) result(r probing.Result, exit int32) probing.Result {
	verdict := m.Verdict
	switch verdict {
	case api.Passed, api.Failed, api.Inconclusive, api.Error, api.Skipped:
	case "":
		if m.OK != nil {
			verdict = api.Failed
			if *m.OK && len(m.Errors) == 0 {
				verdict = api.Passed
			}
		}
	default:
		return couldNot(codeMuddled, "it says that it is %q, which is no verdict", string(verdict))
	}
	if exit != 0 && verdict == api.Passed {
		return couldNot(codeMuddled, "it says that it passed, and ended with exit status %d", exit)
	}
	r.Verdict, r.Code, r.Severity = cmp.Or(verdict, r.Verdict), cmp.Or(m.Code, r.Code), m.Severity
	r.Errors, r.Message, r.Observations, r.Parts = m.Errors, m.Message, m.Observations, m.Parts
	r, err := kuberhealthy.Bounded(r)
	if err != nil {
		return couldNot(codeMuddled, "what it says last is no report: %s", err)
	}
	return r
}
