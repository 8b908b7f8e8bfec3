package identity

import (
	"strings"

	"sluice.dev/sluice/pipelines/calendar"
)

const robot = " [ci]"

// OfCI marks a name as that of a job of a build system. It is part of the name, as being unverified is.
func OfCI(name string) string {
	if name == "" || strings.HasSuffix(name, robot) {
		return name
	}
	return name + robot
}

// sluice is who acts where nobody asked for it.
const sluice = "sluice"

// Invoker tells whether a name is that of a person, of a job of a build system, or of what acts by itself. No name is nobody's: it
// counts as what acts by itself, which windows trust least.
func Invoker(name string) calendar.Invoker {
	switch {
	case name == "" || name == sluice:
		return calendar.Automatic
	case strings.HasSuffix(strings.TrimSuffix(name, mark), robot):
		return calendar.CI
	}
	return calendar.Person
}
