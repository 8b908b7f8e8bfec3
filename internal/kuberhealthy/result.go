package kuberhealthy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/probing"
)

const (
	maxName  = 253      // of a part, a target, an observation
	maxTexts = 64 << 10 // of all texts of a result: it has to fit into an object
	maxText  = 1 << 10  // of an observation
	byReport = "report" // where a result has come from
)

var (
	codes      = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,62}$`)
	severities = regexp.MustCompile(`^(P[0-4])?$`)
)

// verdicts are those that there are, and whether a program that knows no others calls them ok.
var verdicts = map[api.Verdict]bool{api.Passed: true, api.Skipped: true, api.Failed: false, api.Inconclusive: false, api.Error: false}

// result is what a report says, within bounds.
func (b *body) result(by probing.Contract) (probing.Result, error) {
	if err := b.judge(by); err != nil {
		return probing.Result{}, err
	}
	r := probing.Result{Verdict: api.Failed, By: byReport, Errors: b.Errors}
	if b.OK {
		r.Verdict = api.Passed
	}
	if m := b.Sluice; m != nil {
		r.Verdict = cmp.Or(m.Verdict, r.Verdict)
		r.Code, r.Severity, r.Message, r.Parts, r.Observations = m.Code, m.Severity, m.Message, m.Parts, m.Observations
	}
	cut(&r)
	return r, nil
}

// Bounded is what a program has said otherwise than by a report, within the same bounds. The error is why it says nothing.
func Bounded(r probing.Result) (probing.Result, error) {
	m := more{Verdict: r.Verdict, Code: r.Code, Severity: r.Severity, Observations: r.Observations, Parts: r.Parts}
	if err := m.judge(); err != nil {
		return r, err
	}
	cut(&r)
	return r, nil
}

// cut keeps a result within bounds, and has it say so.
func cut(r *probing.Result) {
	c := cutter{room: maxTexts}
	r.Message = c.text(r.Message, probing.MaxMessage)
	r.Parts, r.Observations, r.Errors = c.parts(r.Parts), c.observations(r.Observations), c.errors(r.Errors)
	if r.Message == "" && len(r.Errors) > 0 {
		r.Message = r.Errors[0]
	}
	r.Message = note(r.Message, c.said()...)
}

// judge refuses what contradicts itself.
func (b *body) judge(by probing.Contract) error {
	no := func(format string, args ...any) error { return refuse(http.StatusBadRequest, format, args...) }
	switch {
	case by == probing.ContractV3 && b.OK && len(b.Errors) > 0:
		return no("the report is ok, and has errors")
	case !b.OK && len(b.Errors) == 0:
		return no("the report is not ok, and has no errors")
	case (by == probing.ContractV3 || !b.OK) && slices.Contains(b.Errors, ""):
		return no("an error is empty")
	}
	if b.Sluice == nil {
		return nil
	}
	if err := b.Sluice.judge(); err != nil {
		return err
	}
	if v := b.Sluice.Verdict; v != "" && verdicts[v] != b.OK {
		return no("the verdict is %s, and ok is %v", v, b.OK)
	}
	return nil
}

// judge refuses what nobody could go by.
func (m *more) judge() error {
	no := func(format string, args ...any) error { return refuse(http.StatusBadRequest, format, args...) }
	_, known := verdicts[m.Verdict]
	switch {
	case m.Verdict != "" && !known:
		return no("there is no verdict %.40q", m.Verdict)
	case m.Code != "" && !codes.MatchString(m.Code):
		return no("the code %.80q is no word of letters and digits", m.Code)
	case !severities.MatchString(m.Severity):
		return no("the severity %.40q is none of P0 to P4", m.Severity)
	case len(m.Target) > maxName:
		return no("the target is longer than %d bytes", maxName)
	case m.Seq < 0:
		return no("seq is below 0")
	}
	for i, p := range m.Parts {
		switch _, known := verdicts[p.Verdict]; {
		case shown(p.Name) == "":
			return no("part %d has no name", i)
		case len(p.Name) > maxName || len(p.Target) > maxName:
			return no("the name or target of part %d is longer than %d bytes", i, maxName)
		case !known:
			return no("part %s has no verdict", p.Name)
		case p.Code != "" && !codes.MatchString(p.Code):
			return no("the code %.80q of part %s is no word of letters and digits", p.Code, p.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Observations)) {
		if shown(name) == "" || len(name) > maxName {
			return no("the name of an observation has 1 to %d bytes", maxName)
		}
		if !plain(m.Observations[name]) {
			return no("the observation %s is no number, text or boolean", name)
		}
	}
	return nil
}

// shown is a name without what a terminal obeys or a database does not keep.
func shown(name string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, name))
}

// plain is whether JSON is a number that can be counted with, a text or a boolean.
func plain(raw json.RawMessage) bool {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0:
		return false
	case raw[0] == '"', bytes.Equal(raw, []byte("true")), bytes.Equal(raw, []byte("false")):
		return true
	}
	_, err := strconv.ParseFloat(string(raw), 64)
	return err == nil && len(raw) <= 64
}

// cutter keeps texts within bounds, and counts what it cut.
type cutter struct {
	room  int // for texts
	notes []string
	texts int
}

func (c *cutter) text(s string, most int) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
	short := clip.Bytes(s, max(0, min(most, c.room)))
	if c.room == 0 {
		short = ""
	}
	if short != s {
		c.texts++
	}
	c.room -= min(c.room, len(short))
	return short
}

func (c *cutter) gone(n int, what string) {
	if n > 0 {
		c.notes = append(c.notes, api.Counted(n, what))
	}
}

func (c *cutter) said() []string {
	c.gone(c.texts, "text")
	if len(c.notes) == 0 {
		return nil
	}
	return []string{"cut: " + strings.Join(c.notes, ", ")}
}

func (c *cutter) errors(all []string) (out []string) {
	for _, e := range all[:min(len(all), probing.MaxErrors)] {
		if text := c.text(e, probing.MaxMessage); text != "" {
			out = append(out, text)
		}
	}
	c.gone(len(all)-probing.MaxErrors, "error")
	return out
}

// parts keeps those that did not pass before the others.
func (c *cutter) parts(all []probing.Part) (out []probing.Part) {
	if n := len(all) - probing.MaxParts; n > 0 {
		all = slices.Clone(all)
		slices.SortStableFunc(all, func(a, b probing.Part) int {
			return strings.Compare(fmt.Sprint(verdicts[a.Verdict]), fmt.Sprint(verdicts[b.Verdict]))
		})
		all = all[:probing.MaxParts]
		c.gone(n, "part")
	}
	for _, p := range all {
		p.Name, p.Target = shown(p.Name), shown(p.Target)
		p.Message, p.Millis = c.text(p.Message, probing.MaxMessage), max(0, p.Millis)
		out = append(out, p)
	}
	return out
}

func (c *cutter) observations(all map[string]json.RawMessage) map[string]json.RawMessage {
	if len(all) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(all))
	c.gone(len(names)-probing.MaxObservations, "observation")
	out := map[string]json.RawMessage{}
	for _, name := range names[:min(len(names), probing.MaxObservations)] {
		value := all[name]
		var text string
		if json.Unmarshal(value, &text) == nil {
			value, _ = json.Marshal(c.text(text, maxText))
		}
		out[shown(name)] = value
	}
	return out
}

// note says something more at the end of a message.
func note(message string, more ...string) string {
	for _, m := range more {
		if message == "" {
			message = m
			continue
		}
		message = clip.Bytes(message, probing.MaxMessage-len(m)-2) + "; " + m
	}
	return message
}
