package acceptance

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestTwoStacks runs two stacks of the same shape at once: neither sees what
// happens in the other, and stopping one leaves the other alone.
func TestTwoStacks(t *testing.T) {
	first, second := newProgram(t), newProgram(t)
	up := func(p *program) <-chan error {
		done := make(chan error, 1)
		go func() { done <- p.command("up", "--clusters", "1", "--nodes", "1", "--detach", "--quiet").Run() }()
		return done
	}
	for _, done := range []<-chan error{up(first), up(second)} {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	a, b := first.description(), second.description()
	if a.Temporal.Address == b.Temporal.Address || a.Clusters[0].Server == b.Clusters[0].Server {
		t.Fatalf("both stacks listen on %+v", a)
	}
	_, err := first.client("c1").CoreV1().ConfigMaps(namespace).Create(context.Background(),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "mine"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.client("c1").CoreV1().ConfigMaps(namespace).Get(context.Background(), "mine", metav1.GetOptions{}); err == nil {
		t.Error("the second stack has what was made in the first")
	}
	first.run("down")
	noProcesses(t, first)
	if s := second.status(); !s.Ready {
		t.Errorf("the second stack is not ready after the first went down: %+v", s)
	}
}

// TestTemporalAlone runs a stack without clusters in the foreground and ends
// it the way Ctrl-C does.
func TestTemporalAlone(t *testing.T) {
	p := newProgram(t)
	var out strings.Builder
	cmd := p.command("up", "--clusters", "0")
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, func() string {
		if !p.status().Ready {
			return "not ready"
		}
		return ""
	})
	d := p.description()
	if len(d.Clusters) != 0 {
		t.Errorf("there are clusters: %+v", d.Clusters)
	}
	expectNamespace(t, d.Temporal)
	// A terminal sends the signal to the whole group.
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C ends it with %v:\n%s", err, out.String())
	}
	noProcesses(t, p)

	version := filepath.Join(p.dir, "temporal", "VERSION")
	if err := os.WriteFile(version, []byte("1.30.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"up"}, {"up", "--detach"}} {
		text, code := p.try(args...)
		if code != 1 || !strings.Contains(text, "version 1.30.0") {
			t.Errorf("%v with another server's file ends with %d:\n%s", args, code, text)
		}
	}
	noProcesses(t, p)
}

func TestUsage(t *testing.T) {
	p := newProgram(t)
	tests := map[string]struct {
		args []string
		code int
		says string
	}{
		"Help calls itself sluice local":       {[]string{"--help"}, 0, "sluice local [command]"},
		"AnUnknownFlagIsUsage":                 {[]string{"up", "--nonsense"}, 2, "unknown flag"},
		"AnUnknownCommandIsUsage":              {[]string{"nonsense"}, 2, "nonsense"},
		"ABadNameIsUsage":                      {[]string{"up", "--names", "A"}, 2, `"A"`},
		"PoolsThatDoNotFitAreUsage":            {[]string{"up", "--nodes", "2", "--pools", "canary=3"}, 2, "3 nodes"},
		"StatusOfNothingFails":                 {[]string{"status"}, 1, "no stack is running"},
		"DownOfNothingIsDone":                  {[]string{"down"}, 0, "no stack is running"},
		"StoppingAPartOfNothingFails":          {[]string{"stop", "etcd"}, 1, "no stack is running"},
		"StartingAPartThatDoesNotExistIsUsage": {[]string{"start", "kubelet"}, 2, "kubelet"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			out, code := p.try(tc.args...)
			if code != tc.code || !strings.Contains(out, tc.says) {
				t.Errorf("%v ends with %d, want %d, and says %q, want %q in it", tc.args, code, tc.code, out, tc.says)
			}
		})
	}
}
