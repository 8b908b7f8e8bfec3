// Package proc runs the parts of a stack as child processes: it starts them,
// starts them again when they die, and makes sure that none of them outlives
// the supervisor, however that one ends.
package proc

import (
	"io"
	"os"
	"strconv"
	"syscall"
	"time"
)

// PartArg is the hidden first argument that makes this program a part.
const PartArg = "__part"

const (
	lifelineEnv = "SLUICE_LOCAL_LIFELINE"
	// lifelineFD is the first of exec.Cmd's extra files.
	lifelineFD = 3
	// lifelineGrace is how long an orphaned part may take to end by itself.
	lifelineGrace = 5 * time.Second
)

// WatchLifeline ends this process when the supervisor that started it is gone:
// the supervisor holds the other end of a pipe, which the system closes for
// it. It returns at once and does nothing if there is no such pipe.
func WatchLifeline() {
	if os.Getenv(lifelineEnv) != strconv.Itoa(lifelineFD) {
		return
	}
	os.Unsetenv(lifelineEnv)
	syscall.CloseOnExec(lifelineFD)
	pipe := os.NewFile(lifelineFD, "lifeline")
	go func() {
		io.Copy(io.Discard, pipe)
		syscall.Kill(os.Getpid(), syscall.SIGTERM)
		time.Sleep(lifelineGrace)
		os.Exit(1)
	}()
}
