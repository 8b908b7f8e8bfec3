package simulation

import (
	"bytes"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func running(image string, ready bool) *corev1.Pod {
	return &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
		{Name: "main", Image: image, Ready: ready, State: corev1.ContainerState{
			Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(start)},
		}},
		{Name: "side", Image: "side:1-panic-logs", Ready: true, State: corev1.ContainerState{
			Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(start)},
		}},
	}}}
}

func text(lines []Line) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line.Text + "\n")
	}
	return b.String()
}

func TestLog(t *testing.T) {
	terminated := &corev1.ContainerStateTerminated{ExitCode: 1, StartedAt: metav1.NewTime(start), FinishedAt: metav1.NewTime(start)}
	crashing := running("a:1-crash", false)
	crashing.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	crashing.Status.ContainerStatuses[0].LastTerminationState.Terminated = terminated
	unpulled := running("a:1-pull-error", false)
	unpulled.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull"}}
	tests := map[string]struct {
		pod       *corev1.Pod
		container string
		previous  bool
		has, not  string
		fails     string
	}{
		"Normal":        {pod: running("a:1", true), container: "main", has: "round=6", not: "panic: "},
		"PanicLogs":     {pod: running("a:1-panic-logs", true), container: "main", has: "panic: ", not: "round"},
		"OnlyTheFirst":  {pod: running("a:1", true), container: "side", has: "round=6", not: "panic: "},
		"NeverReady":    {pod: running("a:1-never-ready", false), container: "main", has: "WARN not ready", not: "INFO ready"},
		"Crash":         {pod: crashing, container: "main", has: "panic: "},
		"CrashPrevious": {pod: crashing, container: "main", previous: true, has: "panic: "},
		"NoPrevious":    {pod: running("a:1", true), container: "main", previous: true, fails: "not found"},
		"PullError":     {pod: unpulled, container: "main", fails: "waiting to start"},
		"NoContainer":   {pod: running("a:1", true), container: "other", fails: "waiting to start"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			lines, err := Log(tc.pod, tc.container, tc.previous, start.Add(time.Minute))
			if tc.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fails) {
					t.Errorf("error %v, want %q in it", err, tc.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := text(lines)
			if !strings.Contains(got, tc.has) || (tc.not != "" && strings.Contains(got, tc.not)) {
				t.Errorf("want %q and no %q in\n%s", tc.has, tc.not, got)
			}
			for i := 1; i < len(lines); i++ {
				if lines[i].Time.Before(lines[i-1].Time) {
					t.Errorf("line %d is older than the one before", i)
				}
			}
		})
	}
}

func TestLogIsBounded(t *testing.T) {
	lines, err := Log(running("a:1-panic-logs", true), "main", false, start.Add(30*24*time.Hour))
	if err != nil || len(lines) > maxLines {
		t.Errorf("%d lines, %v", len(lines), err)
	}
}

func TestWriteLines(t *testing.T) {
	lines := []Line{{start, "one"}, {start.Add(time.Second), "two"}}
	var b bytes.Buffer
	if left := writeLines(&b, newer(lines, start), logQuery{limit: 2}); left != 0 || b.String() != "tw" {
		t.Errorf("two bytes since the first line are %q, %d left", b.String(), left)
	}
	b.Reset()
	if left := writeLines(&b, lines, logQuery{limit: -1, timestamps: true}); left != -1 ||
		b.String() != "2026-01-02T03:04:05Z one\n2026-01-02T03:04:06Z two\n" {
		t.Errorf("with timestamps: %q, %d left", b.String(), left)
	}
}
