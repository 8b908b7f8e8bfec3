package simulation

import "strings"

// What a simulated pod can do. It is written in the tag of its first
// container's image: a tag that ends in one of these words after a dash, as in
// "agent:1.4.0-crash".
const (
	// Normal pods get ready within a second and stay so.
	Normal = "normal"
	// Crash never gets ready and crashes again and again.
	Crash = "crash"
	// CrashAfterReady gets ready and begins to crash four seconds later.
	CrashAfterReady = "crash-after-ready"
	// NeverReady runs and does not get ready.
	NeverReady = "never-ready"
	// ReadyLate gets ready after twenty seconds.
	ReadyLate = "ready-late"
	// PullError never runs: its image cannot be pulled.
	PullError = "pull-error"
	// PanicLogs gets ready and stays so, but its log is full of panics.
	PanicLogs = "panic-logs"
)

// misbehaviours are the words that a tag may end in.
var misbehaviours = [...]string{CrashAfterReady, NeverReady, ReadyLate, PullError, PanicLogs, Crash}

// Behaviour tells what a pod with this image does.
func Behaviour(image string) string {
	name, _, _ := strings.Cut(image, "@")
	name = name[strings.LastIndex(name, "/")+1:]
	_, tag, _ := strings.Cut(name, ":")
	for _, word := range misbehaviours {
		if strings.HasSuffix(tag, "-"+word) {
			return word
		}
	}
	return Normal
}
