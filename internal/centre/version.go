package centre

import (
	"strconv"
	"strings"

	"golang.org/x/mod/semver"

	"sluice.dev/sluice/internal/fault"
)

// speaks is fault.Refused where an agent of one build does not work with a server of another: it is as new as the server, or one minor
// version behind. A build that names no version is one of somebody who builds both.
func speaks(agent, build, server string) error {
	theirs, ours := minor(build), minor(server)
	if theirs < 0 || ours < 0 || semver.Major(build) == semver.Major(server) && (theirs == ours || theirs == ours-1) {
		return nil
	}
	say := "upgrade the agent to %[3]s"
	if semver.Compare(build, server) > 0 {
		say = "upgrade the server first, and then agents"
	}
	return fault.New(fault.Refused, "agent %[1]s is of version %[2]s, and the server of %[3]s: agents work that are as new, or one minor "+
		"version behind; "+say, agent, build, server)
}

// minor is the minor version of a build; below 0 where it names none.
func minor(build string) int {
	if !semver.IsValid(build) {
		return -1
	}
	_, after, _ := strings.Cut(semver.MajorMinor(build), ".")
	n, err := strconv.Atoi(after)
	if err != nil {
		return -1
	}
	return n
}
