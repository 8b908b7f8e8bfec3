package processes

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes give a process a group of its own and end it with this one.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// waitForEnd waits for a process and ends what it leaves behind: as in a container, nothing outlives the first process.
func waitForEnd(cmd *exec.Cmd) {
	// As long as it is not waited for, nobody else gets its number.
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			break
		}
	}
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	cmd.Wait()
}

// killLeftovers kills every process that a runtime in this folder started and that is still there.
func killLeftovers(dir string) {
	mark := []byte(markVariable + "=" + dir)
	found, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range found {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		env, err := os.ReadFile(path)
		if err != nil {
			continue // it is gone, or somebody else's
		}
		for line := range bytes.SplitSeq(env, []byte{0}) {
			if bytes.Equal(line, mark) {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}
