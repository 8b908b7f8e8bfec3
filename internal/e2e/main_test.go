// Package e2e_test plays whole rollouts on real control planes and a real Temporal server, and kills what can be killed.
package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/localtest"
	"sluice.dev/sluice/internal/metrics"
	"sluice.dev/sluice/internal/notify"
	"sluice.dev/sluice/worker"
)

// nodes is how many nodes each cluster of the stack has.
const nodes = 8

// workerEnv makes this binary a worker: its value is "stack dir,kubeconfig,ledger,address of metrics,Temporal namespace"; the address may be empty.
const workerEnv = "SLUICE_E2E_WORKER"

// receiversEnv is whom the worker tells what runs do, as JSON.
const receiversEnv = "SLUICE_E2E_RECEIVERS"

// stack is the local stack of this binary: two clusters.
var stack localtest.Get

func TestMain(m *testing.M) {
	if spec := os.Getenv(workerEnv); spec != "" {
		os.Exit(serve(strings.Split(spec, ",")))
	}
	if spec := os.Getenv(directEnv); spec != "" {
		os.Exit(takeBack(strings.Split(spec, ",")))
	}
	localtest.ByTurns()
	os.Exit(localtest.Main(m, []string{"a", "b", "c", "d"}, nodes, func(get localtest.Get) { stack = get }))
}

// serve is the worker process. It ends with its standard input, so that it does not outlive the test.
func serve(spec []string) int {
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); cancel() }()
	dial := engine.DialOptions{Dir: spec[0], Namespace: spec[4]}
	var counts *metrics.Metrics
	if spec[3] != "" {
		counts = metrics.New()
		dial.Metrics = counts.Temporal()
	}
	c, err := engine.Dial(ctx, dial)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer c.Close()
	l, err := openLedger(ctx, spec[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer l.Close()
	var receivers notify.Receivers
	if err := json.Unmarshal([]byte(os.Getenv(receiversEnv)), &receivers); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	orders := engine.New(l, func(context.Context) (*engine.Server, error) { return c.Server(), nil }, engine.Options{})
	err = worker.Run(ctx, worker.Options{
		Client: c.Client, Ledger: l, Orders: orders, Drills: orders, Follower: orders,
		Kubeconfigs: []string{spec[1]}, UserAgent: "sluice-e2e", Logger: slog.New(slog.DiscardHandler),
		Checking:       worker.Checking{ProberImage: "sluice.local/sluice:1", Metrics: counts},
		MetricsAddress: spec[3], Receivers: receivers,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// turns are of the tests that run beside others: they wait more than they work. Those that stop an API server or a node have the turns of
// the spare control planes instead, and those that stop Temporal run alone.
var turns = make(localtest.Turns, 4)

// patience is how much longer a test waits than what it waits for takes alone: others run beside it.
const patience = 3
