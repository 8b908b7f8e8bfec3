package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// words are what is left of a line.
type words struct{ all []word }

type word struct {
	text   string
	quoted bool
}

// wordsOf divides a line. What is in quotes is one word; a # ends it.
func wordsOf(line string) (*words, error) {
	w := &words{}
	for line = strings.TrimSpace(line); line != "" && line[0] != '#'; line = strings.TrimSpace(line) {
		if line[0] == '"' {
			text, err := strconv.QuotedPrefix(line)
			if err != nil {
				return w, errors.New("a text in quotes does not end on its line")
			}
			plain, err := strconv.Unquote(text)
			if err != nil {
				return w, fmt.Errorf("cannot read %s", text)
			}
			w.all, line = append(w.all, word{plain, true}), line[len(text):]
			continue
		}
		text := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })[0]
		w.all, line = append(w.all, word{text, false}), line[len(text):]
	}
	return w, nil
}

// next takes a word; "" where there is none.
func (w *words) next() string {
	if len(w.all) == 0 {
		return ""
	}
	first := w.all[0]
	w.all = w.all[1:]
	return first.text
}

// must takes a word that has to be there.
func (w *words) must(what string) (string, error) {
	if len(w.all) == 0 {
		return "", errors.New("the line ends before it has said " + what)
	}
	return w.next(), nil
}

func (w *words) into(to *string, what string) (err error) {
	*to, err = w.must(what)
	return err
}

// skip takes a word where it comes next.
func (w *words) skip(text string) bool {
	if len(w.all) == 0 || w.all[0].quoted || w.all[0].text != text {
		return false
	}
	w.all = w.all[1:]
	return true
}

// quoted takes a text in quotes where one comes next.
func (w *words) quoted() string {
	if len(w.all) == 0 || !w.all[0].quoted {
		return ""
	}
	return w.next()
}

func (w *words) duration() (time.Duration, error) {
	text, err := w.must("a duration such as 90s, 10m or 7d")
	if err != nil {
		return 0, err
	}
	d, err := pipelines.ParseDuration(text)
	switch {
	case err != nil:
		return 0, err
	case d.Std() > MaxVirtual:
		return 0, fmt.Errorf("%s is longer than a scenario may last, %s", text, short(MaxVirtual))
	case d.Std()%time.Second != 0:
		return 0, fmt.Errorf("%s is no whole number of seconds", text)
	}
	return d.Std(), nil
}

// Unheard is a verdict that no Sluice knows, for what becomes of one.
const Unheard api.Verdict = "Unheard"

func (w *words) verdict() (api.Verdict, error) {
	known := []api.Verdict{api.Passed, api.Failed, api.Inconclusive, api.Error, Unheard}
	text, err := w.must("a verdict")
	if err == nil && !slices.Contains(known, api.Verdict(text)) {
		return "", fmt.Errorf("a verdict is Passed, Failed, Inconclusive or Error, and not %q", text)
	}
	return api.Verdict(text), err
}

// short is a duration as people write it: 1h5m, 7d.
func short(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	text := ""
	if days := d / pipelines.Day; days > 0 {
		text, d = fmt.Sprintf("%dd", days), d%pipelines.Day
	}
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := d / unit.of; n > 0 {
			text, d = text+strconv.FormatInt(int64(n), 10)+unit.name, d%unit.of
		}
	}
	return text
}
