package server

import (
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// TestPodsOfTheChartAreGivenTheTimeToEnd goes by what the chart is known to render: a server is asked for some seconds more, then brings to
// its end what it was asked, and sends its last traces.
func TestPodsOfTheChartAreGivenTheTimeToEnd(t *testing.T) {
	text, err := os.ReadFile("../charts/testdata/sluice-least.golden.yaml")
	if err != nil {
		t.Fatal(err)
	}
	pod := regexp.MustCompile(`(?s)preStop:\n\s+sleep:\n\s+seconds: (\d+)\n.*?\n        name: server\n.*?terminationGracePeriodSeconds: (\d+)\n`).FindSubmatch(text)
	if pod == nil {
		t.Fatal("there is no server that sleeps before it ends")
	}
	seconds := func(text []byte) time.Duration {
		n, err := strconv.Atoi(string(text))
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(n) * time.Second
	}
	const traces = 5 * time.Second
	if takes, grace := seconds(pod[1])+endsWithin+traces, seconds(pod[2]); grace < takes {
		t.Errorf("it has %s to end, and takes up to %s", grace, takes)
	}
}
