package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/clip"
	"sluice.dev/sluice/internal/logscan"
)

// said is a text of somebody else as a report quotes it: on one line, without secrets and without what a screen would act on.
func said(text string) string {
	return clip.Runes(logscan.Mask(strings.Join(strings.Fields(visible(text)), " ")), maxText)
}

// visible is a text in which what is not seen, or turns the order of others round, is.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// found is a check with its verdict as one phrase.
func found(c api.Check) string {
	text := c.Name + " " + string(c.Verdict)
	if c.Message != "" {
		text += ": " + c.Message
	}
	return said(text)
}

// Row is a name with what it stands for.
type Row struct{ Name, Value string }

// seen are the facts that a check saw, in the order of their names.
func seen(c api.Check) []Row {
	var all []Row
	for _, name := range slices.Sorted(maps.Keys(c.Seen)) {
		value, err := json.Marshal(c.Seen[name])
		if err != nil {
			value = fmt.Append(nil, c.Seen[name])
		}
		// Its name tells the one who masks whether the value is secret.
		text := said(name + "=" + string(value))
		all = append(all, Row{said(name), strings.TrimPrefix(text, said(name)+"=")})
	}
	return all
}

// few lists some of many names.
func few(all []string) string {
	if len(all) == maxNames {
		return strings.Join(all, ", ") // "and 1 more" takes no less room
	}
	return clip.Few(all, maxNames-1)
}

// clock writes a time in UTC: a report is read elsewhere.
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// lasted writes how long something took.
func lasted(from, to time.Time) string {
	if from.IsZero() || to.Before(from) {
		return "-"
	}
	return to.Sub(from).Round(time.Second).String()
}
