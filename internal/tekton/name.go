package tekton

import (
	"crypto/md5"
	"encoding/hex"
	"strings"
)

// longestName is how long the name of a TaskRun may be: it is a label's value too.
const longestName = 63

// TaskRunName is the name that Tekton gives to what a run makes for a child, a cluster or a task (with the number of its combination,
// from 0, where it has several): both joined, or, where that is too long, as much of the run's name as there is room for, its hash, and
// the child's name. Where two of a run would have one name, the later one has another.
func TaskRunName(run, child string) string {
	child = "-" + child
	if len(run)+len(child) <= longestName {
		return run + child
	}
	room := longestName - 2*md5.Size - len(child)
	if room > 0 {
		return run[:min(room, len(run))] + hash(run) + child
	}
	// There is no room for the child's name as a whole: both are in the hash.
	name := run[:min(longestName-2*md5.Size, len(run))] + hash(run+child)
	name += child[:min(longestName-len(name), len(child))]
	return strings.TrimRight(name, "-.")
}

func hash(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}
