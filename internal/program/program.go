// Package program runs an executable of this machine to its end, within bounds: nothing of the caller's environment gets in, what
// it prints is kept to its end only, and nothing of its process group outlives it. What it starts in a session of its own (setsid) does.
// It says nothing about what an end means.
package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Most is how many bytes of each of its outputs are kept: the last ones.
const Most = 64 << 10

// lingers is for how long outputs are read on that somebody else holds open after the program has ended.
const lingers = 2 * time.Second

// Program is what is run. It starts in an empty folder of its own, without input.
type Program struct {
	Path string
	Args []string
	Env  []string // NAME=value, beside PATH, HOME and LANG
}

// End is how a program ended.
type End struct {
	Exit   int // its status; 128 and the signal's number where one ended it
	Took   time.Duration
	out    tail
	errors tail
}

// Run runs a program. A context that ends kills it, with its process group, and is the error; so is a program that could not be
// started.
func Run(ctx context.Context, p Program) (End, error) {
	home, err := os.MkdirTemp("", "sluice-script-")
	if err != nil {
		return End{}, fmt.Errorf("cannot make a folder for %s: %w", p.Path, err)
	}
	defer func() { _ = os.RemoveAll(home) }()
	var end End
	cmd := exec.CommandContext(ctx, p.Path, p.Args...)
	cmd.Dir = home
	cmd.Env = append([]string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "LANG=C.UTF-8"}, p.Env...)
	cmd.Stdout, cmd.Stderr = &end.out, &end.errors
	cmd.WaitDelay = lingers
	ofItsOwn(cmd)
	if err := cmd.Start(); err != nil {
		return end, fmt.Errorf("cannot start %s: %w", p.Path, err)
	}
	began := time.Now()
	err = cmd.Wait()
	end.Took = time.Since(began)
	killAll(cmd)
	if ctx.Err() != nil {
		return end, context.Cause(ctx)
	}
	var failed *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return end, nil
	case errors.As(err, &failed):
		end.Exit = status(failed.ProcessState)
		return end, nil
	}
	return end, fmt.Errorf("cannot run %s to its end: %w", p.Path, err)
}

// LastLine is the last line that the program printed that is not empty. Cut is whether it was too long to be kept whole.
func (e *End) LastLine() (line string, cut bool) {
	text := strings.TrimRight(string(e.out.kept), " \t\r\n")
	before := strings.LastIndexByte(text, '\n')
	return strings.TrimSpace(text[before+1:]), before < 0 && e.out.cut
}

// Tail is what the program wrote to its standard error; where that is nothing, what it printed.
func (e *End) Tail() string {
	if text := strings.TrimSpace(string(e.errors.kept)); text != "" {
		return text
	}
	return strings.TrimSpace(string(e.out.kept))
}

// tail keeps the end of what is written to it.
type tail struct {
	kept []byte
	cut  bool
}

func (t *tail) Write(p []byte) (int, error) {
	written := len(p)
	if len(p) > Most {
		p, t.cut = p[len(p)-Most:], true
	}
	if over := len(t.kept) + len(p) - Most; over > 0 {
		t.kept, t.cut = append(t.kept[:0], t.kept[over:]...), true
	}
	t.kept = append(t.kept, p...)
	return written, nil
}
