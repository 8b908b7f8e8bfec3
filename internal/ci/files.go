package ci

import (
	"crypto/rand"
	"fmt"
	"os"
	"regexp"
	"strings"

	"sluice.dev/sluice/internal/fault"
)

// MaxSummary is how large the summary of a step of GitHub may be; a larger one is not shown at all.
const MaxSummary = 1 << 20

// Room is how many bytes may be added to a summary file.
func Room(path string, most int) int {
	if about, err := os.Stat(path); err == nil {
		return max(0, most-int(min(about.Size(), int64(most))))
	}
	return most
}

// Append adds a text to a file, which is made where there is none.
func Append(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = file.WriteString(text)
		if closed := file.Close(); err == nil {
			err = closed
		}
	}
	return fault.Wrap(fault.Internal, err, "cannot write %s", path)
}

// Output is a value that later steps or jobs read.
type Output struct{ Name, Value string } // the name in small letters: plan, verdict

var outputName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// WriteOutputs writes values where the job's system reads them: for GitHub between delimiters that nobody can guess, else as lines of
// NAME=VALUE with SLUICE_ before the names, in capital letters, which is what GitLab takes as a report.
func (j Job) WriteOutputs(path string, all []Output) error {
	var text strings.Builder
	for _, o := range all {
		if !outputName.MatchString(o.Name) {
			return fault.New(fault.Internal, "cannot write the output %q: it is no name", o.Name)
		}
		if j.System == GitHub {
			end := "sluice_" + rand.Text()
			fmt.Fprintf(&text, "%s<<%s\n%s\n%s\n", o.Name, end, o.Value, end)
			continue
		}
		value := strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return ' '
			}
			return r
		}, o.Value)
		fmt.Fprintf(&text, "SLUICE_%s=%s\n", strings.ToUpper(o.Name), value)
	}
	return Append(path, text.String())
}
