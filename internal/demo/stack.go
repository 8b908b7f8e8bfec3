package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sluice.dev/sluice/internal/witness"
)

// stack is what the local stack says about itself.
type stack struct {
	Temporal struct {
		Address string `json:"address"`
		UI      string `json:"ui"`
	} `json:"temporal"`
	Kubeconfig string `json:"kubeconfig"`
}

func (p *play) startStack(ctx context.Context) error {
	args := []string{
		"up", "--dir", p.o.Dir, "--detach", "--names", strings.Join(p.shape.clusters, ","),
		"--nodes", strconv.Itoa(p.shape.nodes), "--pools", "canary=" + strconv.Itoa(p.shape.canary),
	}
	code, err := p.shown(p.command(ctx, "sluice-local", args...))
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("sluice-local up ended with exit code %d", code)
	}
	data, err := os.ReadFile(filepath.Join(p.o.Dir, "stack.json"))
	if err != nil {
		return fmt.Errorf("cannot read what the stack says about itself: %w", err)
	}
	if err := json.Unmarshal(data, &p.stack); err != nil {
		return fmt.Errorf("cannot read stack.json: %w", err)
	}
	p.report.UI = p.stack.Temporal.UI
	for _, name := range p.shape.clusters {
		reader, err := witness.Open(p.stack.Kubeconfig, name)
		if err != nil {
			return err
		}
		p.readers = append(p.readers, reader)
	}
	return nil
}

// startServer starts the server, which is the worker too, beside the play; should it end, so does the play.
func (p *play) startServer(ctx context.Context) error {
	path := filepath.Join(p.o.Out, "server.log")
	log, err := createLog(path)
	if err != nil {
		return err
	}
	defer log.Close()
	if p.agents, err = freeAddress(); err != nil {
		return err
	}
	// The server outlives this step; it is stopped when the play cleans up.
	p.server, err = begin(p.sluice(context.WithoutCancel(ctx), "server", "--local", "--agents", p.agents), log)
	if err != nil {
		return err
	}
	server := p.server
	go func() {
		<-server.done
		p.fail(fmt.Errorf("the server has ended (%v): see %s", server.err, path))
	}()
	for {
		select {
		case <-server.done:
			return fmt.Errorf("it ended at once (%v): see %s", server.err, path)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		if _, err := os.Stat(filepath.Join(p.o.Dir, "server.json")); err == nil {
			return nil // commands find it by this file
		}
	}
}

// createLog opens the log of a program that runs beside the play.
func createLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the folder of a log: %w", err)
	}
	log, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open a log: %w", err)
	}
	return log, nil
}

// markFile is in a state folder that a demo made.
const markFile = "demo"

// clear takes down and removes what an earlier demo left in the state folder, and marks the folder as a demo's.
func (p *play) clear(ctx context.Context) error {
	entries, err := os.ReadDir(p.o.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot look into the state folder: %w", err)
	}
	mark := filepath.Join(p.o.Dir, markFile)
	if _, err := os.Stat(mark); err != nil && len(entries) > 0 {
		return fmt.Errorf("%s holds what no demo has made; "+
			"remove it with `sluice local down --purge`, or choose another folder with --dir", p.o.Dir)
	}
	if len(entries) > 0 {
		if err := p.down(ctx); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(p.o.Dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the state folder: %w", err)
	}
	p.cleared = true
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		return fmt.Errorf("cannot mark the state folder: %w", err)
	}
	return nil
}

// cleanUp ends everything that was started, unless the stack is to be kept.
func (p *play) cleanUp() error {
	p.beside.Wait()
	p.agent.stop()
	p.server.stop()
	p.prometheus.stop()
	if !p.cleared {
		return nil
	}
	if p.o.Keep {
		p.leave()
		return nil
	}
	p.say("take the stack down")
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	return p.down(ctx)
}

// leave says how to go on with a stack that is left up.
func (p *play) leave() {
	sluice, dir := filepath.Join(p.o.Bin, "sluice"), ""
	if filepath.Base(p.o.Dir) != ".sluice" {
		dir = " --dir " + p.o.Dir
	}
	lines := []string{
		"",
		"The stack is left up.",
		"  Temporal UI   " + p.stack.Temporal.UI,
		"  kubeconfig    " + p.stack.Kubeconfig,
	}
	if p.prometheus != nil { // without it every check of metrics would hold
		lines = append(lines, "  "+strings.Join(p.prometheus.cmd.Args, " ")+" &")
	}
	if p.agent != nil { // nobody else does the work near the clusters
		lines = append(lines, "  "+sluice+" server --local --agents "+p.agents+dir+" &", "  "+strings.Join(p.agent.cmd.Args, " ")+" &")
	} else {
		lines = append(lines, "  "+sluice+" server --local"+dir+" &")
	}
	for _, line := range append(lines,
		"  "+sluice+" get runs"+dir,
		"  "+sluice+" local down --purge"+dir+"   # ends it",
	) {
		fmt.Fprintln(p.o.Stdout, line)
	}
}

// down takes the stack down and removes its state, the ledger with it.
func (p *play) down(ctx context.Context) error {
	out, err := p.command(ctx, "sluice-local", "down", "--purge", "--dir", p.o.Dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot take the stack down: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
