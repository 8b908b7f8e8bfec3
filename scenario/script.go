package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// script is what clusters and checks answer over time, and what people do.
type script struct {
	uses     []use
	pipeline string
	params   map[string]string
	subject  string
	version  string
	rollback pipelines.RollbackMode
	starts   time.Time
	ends     time.Duration                // 0: once the run has ended
	drill    *drill                       // nil: the version is not known to be bad
	takes    map[string]time.Duration     // a batch, by cluster; "" for all
	pods     map[string]map[string]int    // by cluster and node set
	tasks    map[string]time.Duration     // how long each takes
	yields   map[string]map[string]string // results of tasks
	states   []state
	commands []command
}

type use struct {
	at   pipelines.Position
	path string
}

// stateKind is what may be so in a scenario for a time.
type stateKind string

// The kinds of states.
const (
	aCheck      stateKind = "check"
	aTask       stateKind = "task"
	unreachable stateKind = "unreachable"
	stalls      stateKind = "stalls"
	refuses     stateKind = "refuses"
	fails       stateKind = "fails"
	occupied    stateKind = "occupied"
)

// state is what is so from a time on, until another. Of several that fit, the last one of the script holds.
type state struct {
	at       pipelines.Position
	kind     stateKind
	from, to time.Duration
	cluster  string // "" for every one
	name     string // of the check, the task or the activity
	by       string // another run, where the cluster is occupied
	verdict  api.Verdict
	message  string
}

// command is what somebody does once.
type command struct {
	at     pipelines.Position
	after  time.Duration
	who    string
	verb   string
	name   string // of the update; "" for freezes
	scope  api.Scope
	flight api.InFlight
	reason string
}

// verbs are what people may do, as a script says it, with the names of the updates.
var verbs = map[string]string{
	"pauses": api.UpdatePause, "resumes": api.UpdateResume, "approves": api.UpdateApprove,
	"rejects": api.UpdateReject, "aborts": api.UpdateAbort,
	"abandons": api.UpdateAbort, "skips": api.UpdateSkip, "ends-soak": api.UpdateEndSoak,
	"rolls-back": api.UpdateRollback, "rolls-back-batch": api.UpdateRetreat, "freezes": "", "unfreezes": "",
}

const forever = time.Duration(1<<63 - 1)

// parseScript reads a script that begins behind a line of its file.
func parseScript(file string, line int, text string) (script, pipelines.Diagnostics) {
	s := script{
		subject: "app", version: "2.0.0", starts: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC),
		takes: map[string]time.Duration{}, pods: map[string]map[string]int{},
		params: map[string]string{}, tasks: map[string]time.Duration{}, yields: map[string]map[string]string{},
	}
	var wrong pipelines.Diagnostics
	n := 0
	for one := range strings.Lines(text) {
		line++
		at := pipelines.Position{File: file, Line: line, Column: 1}
		words, err := wordsOf(one)
		if err == nil && len(words.all) == 0 {
			continue
		}
		if n++; n > MaxLines {
			return s, append(wrong, diagnose(at, "the script has more than %d lines", MaxLines))
		}
		if err == nil {
			err = s.line(at, words)
		}
		if err == nil && len(words.all) > 0 {
			err = fmt.Errorf("nothing follows here: %q", words.all[0].text)
		}
		if err != nil {
			wrong = append(wrong, diagnose(at, "%v", err))
		}
	}
	return s, wrong
}

// line reads one line.
func (s *script) line(at pipelines.Position, w *words) error {
	first := w.next()
	switch first {
	case "use":
		path, err := w.must("the path of a file or folder")
		s.uses = append(s.uses, use{at, path})
		return err
	case "pipeline":
		return w.into(&s.pipeline, "the name of a pipeline")
	case "param":
		var name, value string
		err := w.into(&name, "the name of a param")
		if err == nil {
			err = w.into(&value, "its value")
		}
		s.params[name] = value
		return err
	case "component":
		return s.component(w)
	case "starts":
		text, err := w.must("a time such as 2026-01-05T09:00:00Z")
		if err != nil {
			return err
		}
		s.starts, err = time.Parse(time.RFC3339, text)
		return err
	case "ends":
		w.skip("at")
		d, err := w.duration()
		s.ends = d
		return err
	case "drill":
		return s.drills(at, w)
	case "cluster":
		return s.cluster(w)
	case "task":
		return s.task(w)
	case "batches":
		w.skip("take")
		d, err := w.duration()
		s.takes[""] = d
		return err
	case "at", "from":
		return s.timed(at, w)
	}
	known := []string{"use", "pipeline", "param", "component", "starts", "ends", "drill", "cluster", "batches", "task", "at", "from"}
	return fmt.Errorf("a line begins with one of %s, and not with %q", strings.Join(known, ", "), first)
}

func (s *script) component(w *words) error {
	if err := w.into(&s.subject, "the name of a component"); err != nil {
		return err
	}
	if err := w.into(&s.version, "its version"); err != nil {
		return err
	}
	if w.skip("rollback") {
		var mode string
		if err := w.into(&mode, "Auto, Manual or Never"); err != nil {
			return err
		}
		s.rollback = pipelines.RollbackMode(mode)
		if !slices.Contains([]pipelines.RollbackMode{pipelines.RollbackAuto, pipelines.RollbackManual, pipelines.RollbackNever}, s.rollback) {
			return fmt.Errorf("rollback is Auto, Manual or Never, and not %q", mode)
		}
	}
	return nil
}

// cluster reads how long the batches of a cluster take, or how many pods it has.
func (s *script) cluster(w *words) error {
	name, err := w.must("the name of a cluster")
	if err != nil {
		return err
	}
	switch verb := w.next(); verb {
	case "takes":
		s.takes[name], err = w.duration()
		return err
	case "has":
		s.pods[name] = map[string]int{}
		for !w.skip("pods") {
			text, err := w.must("how many pods: 10 pods, or canary=1 others=9 pods")
			if err != nil {
				return err
			}
			set, count, said := strings.Cut(text, "=")
			if !said {
				set, count = "", text
			}
			n, err := strconv.Atoi(count)
			if err != nil || n < 0 || n > MaxPods {
				return fmt.Errorf("%q is no number of pods from 0 to %d", count, MaxPods)
			}
			s.pods[name][set] = n
		}
		return nil
	default:
		return fmt.Errorf("a cluster takes DURATION or has N pods, and does not %q", verb)
	}
}

// task reads how long a task takes, or what it yields.
func (s *script) task(w *words) error {
	name, err := w.must("the name of a task")
	if err != nil {
		return err
	}
	switch verb := w.next(); verb {
	case "takes":
		s.tasks[name], err = w.duration()
		return err
	case "yields":
		s.yields[name] = map[string]string{}
		for len(w.all) > 0 {
			key, value, said := strings.Cut(w.next(), "=")
			if !said {
				return fmt.Errorf("a result reads NAME=VALUE, and not %q", key)
			}
			s.yields[name][key] = value
		}
		return nil
	default:
		return fmt.Errorf("a task takes DURATION or yields NAME=VALUE, and does not %q", verb)
	}
}
