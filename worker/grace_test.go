package worker

import (
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// afterDrain is what else may take time once nothing is under way any more: the last traces, metrics and beat.
const afterDrain = 10 * time.Second

// TestPodsOfTheChartsAreGivenTheTimeToEnd goes by what the charts are known to render: a pod is killed once its grace is over.
func TestPodsOfTheChartsAreGivenTheTimeToEnd(t *testing.T) {
	for file, container := range map[string]string{"sluice-least": "worker", "sluice-agent-least": "agent"} {
		text, err := os.ReadFile("../internal/charts/testdata/" + file + ".golden.yaml")
		if err != nil {
			t.Fatal(err)
		}
		pod := regexp.MustCompile(`(?s)\n        name: ` + container + `\n.*?terminationGracePeriodSeconds: (\d+)\n`).FindSubmatch(text)
		if pod == nil {
			t.Fatalf("%s has no container %s with a grace", file, container)
		}
		seconds, err := strconv.Atoi(string(pod[1]))
		if grace := time.Duration(seconds) * time.Second; err != nil || grace < drainWithin+afterDrain {
			t.Errorf("%s of %s has %s to end, and takes up to %s: %v", container, file, grace, drainWithin+afterDrain, err)
		}
	}
}
