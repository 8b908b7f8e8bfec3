package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/pipelines"
)

// exitInconclusive is the exit status of a program that looked and cannot tell: EX_TEMPFAIL of sysexits.h, which programs end
// with for nothing else.
const exitInconclusive = 75

// report is what a program may say as JSON, in its termination message or its last line.
type report struct {
	Verdict api.Verdict    `json:"verdict"`
	Message string         `json:"message"`
	Results map[string]any `json:"results"`
}

func (r report) empty() bool { return r.Verdict == "" && r.Message == "" && r.Results == nil }

// judged is what a program that came to an end of its own has found: by its exit status, and by what it said, a text or a report.
// The two must not contradict each other, and what it was to hand out must be there. Mask takes secrets out before anything is cut off:
// what is left of one would not be known as one.
func judged(exit int, said string, declared []pipelines.TaskResult, mask func(string) string) Finding {
	f := Finding{Verdict: verdictOf(exit), Seen: map[string]any{"exit": int64(exit)}}
	var files map[string]string
	if exit == 0 { // of one that failed nobody reads results, and what looks like them is its log
		var err error
		if said, files, err = pod.Results(said); err != nil {
			return f.broke("%v", err)
		}
	}
	r, isReport, err := read(said)
	switch {
	case err != nil && exit == 0:
		return f.broke("its report cannot be read: %v", err)
	case err != nil || !isReport || r.empty():
		f.Message = quote(mask(said)) // where it failed, this may be the end of a log
	default:
		f.Message = quote(mask(r.Message))
		if why := f.contradicts(r.Verdict); why != "" {
			return f.broke("it reports %s, and ended with exit status %d", why, exit)
		}
		if r.Verdict != "" && f.Verdict != api.Error {
			f.Verdict = r.Verdict
		}
	}
	if f.Message = withStatus(exit, f.Message); f.Verdict != api.Passed {
		return f
	}
	results, err := resultsOf(withFiles(r.Results, files, declared), declared)
	if err != nil {
		return f.broke("%v", err)
	}
	f.Results = results
	return f
}

// verdictOf is what an exit status says. A program that a shell could not start, or that a signal ended, has said nothing.
func verdictOf(exit int) api.Verdict {
	switch {
	case exit == 0:
		return api.Passed
	case exit == exitInconclusive:
		return api.Inconclusive
	case exit < 0, exit == 126, exit == 127, exit > 128 && exit <= 128+64:
		return api.Error
	}
	return api.Failed
}

// contradicts says with what a verdict is reported that cannot be: one that there is not, or a pass of what failed. What succeeded
// may say that it found something, and what failed may say what.
func (f Finding) contradicts(v api.Verdict) string {
	switch v {
	case "", api.Failed, api.Inconclusive, api.Error:
		return ""
	case api.Passed:
		if f.Verdict == api.Passed {
			return ""
		}
		return string(v)
	}
	return fmt.Sprintf("the verdict %q, which is none", clip.Bytes(string(v), 40))
}

// broke is an Error in the place of a finding.
func (f Finding) broke(format string, args ...any) Finding {
	return Finding{Verdict: api.Error, Message: fmt.Sprintf(format, args...), Seen: f.Seen}
}

// withStatus is a message with the exit status before it, which nobody has to hear where it is 0 and something was said.
func withStatus(exit int, said string) string {
	status := fmt.Sprintf("exit status %d", exit)
	switch {
	case exit == 0 && said != "":
		return said
	case exit == 126 || exit == 127:
		status += ", a command could not be run"
	case exit > 128 && exit <= 128+64:
		status += fmt.Sprintf(", ended by signal %d", exit-128)
	}
	if said == "" {
		return status
	}
	return status + ": " + said
}

// read reads what a program said. What begins as JSON and is none is an error: a report that was cut off is not taken for a text.
func read(said string) (r report, isReport bool, err error) {
	if !strings.HasPrefix(said, "{") {
		return r, false, nil
	}
	decoder := json.NewDecoder(strings.NewReader(said))
	decoder.UseNumber()
	if err := decoder.Decode(&r); err != nil {
		return r, true, err
	}
	if rest := bytes.TrimSpace([]byte(said[decoder.InputOffset():])); len(rest) > 0 {
		return r, true, fmt.Errorf("there is more behind it: %q", clip.Bytes(string(rest), 40))
	}
	return r, true, nil
}

// resultsOf are the declared results of a program, in their types.
func resultsOf(given map[string]any, declared []pipelines.TaskResult) (map[string]any, error) {
	if len(declared) == 0 {
		return nil, nil
	}
	results := make(map[string]any, len(declared))
	for _, d := range declared {
		value, ok := given[d.Name]
		if !ok {
			return nil, fmt.Errorf("it did not report the result %s", d.Name)
		}
		if d.Type == pipelines.TypeArray || d.Type == pipelines.TypeObject {
			parts, err := d.Check(value)
			if err != nil {
				return nil, fmt.Errorf("it reported the result %s, which %w", d.Name, err)
			}
			results[d.Name] = parts
			continue
		}
		typed, ok := typedAs(d.Type, value)
		if !ok {
			return nil, fmt.Errorf("it reported the result %s as %s, which is no %s", d.Name, clip.Bytes(fmt.Sprint(value), 40), orString(d.Type))
		}
		results[d.Name] = typed
	}
	return results, nil
}

// withFiles are the results of a report, and those that were left in files. A file is a text: what has another type is read from it,
// but for white space around.
func withFiles(given map[string]any, files map[string]string, declared []pipelines.TaskResult) map[string]any {
	if len(files) == 0 {
		return given
	}
	all := maps.Clone(given)
	if all == nil {
		all = map[string]any{}
	}
	for _, d := range declared {
		text, ok := files[d.Name]
		switch {
		case !ok:
		case d.Type == pipelines.TypeInt || d.Type == pipelines.TypeDouble:
			all[d.Name] = json.Number(strings.TrimSpace(text))
		case d.Type == pipelines.TypeBool:
			all[d.Name] = text
			if value, err := d.Type.Convert(strings.TrimSpace(text)); err == nil {
				all[d.Name] = value
			}
		case d.Type == pipelines.TypeArray || d.Type == pipelines.TypeObject:
			all[d.Name] = strings.TrimSpace(text)
		default:
			all[d.Name] = text
		}
	}
	return all
}

func orString(t pipelines.ParamType) pipelines.ParamType {
	if t == "" {
		return pipelines.TypeString
	}
	return t
}

func typedAs(t pipelines.ParamType, value any) (any, bool) {
	number, isNumber := value.(json.Number)
	switch t {
	case pipelines.TypeInt:
		n, err := number.Int64()
		return n, isNumber && err == nil
	case pipelines.TypeDouble:
		n, err := number.Float64() // an infinite one is an error
		return n, isNumber && err == nil
	case pipelines.TypeBool:
		b, ok := value.(bool)
		return b, ok
	}
	text, ok := value.(string)
	return text, ok
}

// Bounds on what is quoted of what a program said.
const (
	quotedLines = 20
	quotedBytes = 900
)

// quote is the end of what a program said, fit to be shown: at most 20 lines, without what a terminal would take for orders.
func quote(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r >= ' ' && r != 0x7f && (r < 0x80 || r >= 0xa0) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(text, ""))
	lines := strings.Split(strings.TrimSpace(text), "\n")
	text = strings.Join(lines[max(0, len(lines)-quotedLines):], "\n")
	if len(text) > quotedBytes {
		text = "..." + strings.ToValidUTF8(text[len(text)-quotedBytes:], "")
	}
	return text
}
