package cluster

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/activities/cluster/pulse"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/step"
)

func TestAnEndpointThatIsPutRightIsUsed(t *testing.T) {
	ready := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}`)
	}))
	defer ready.Close()
	pool, path := served(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	a := &Activities{Clusters: pool, Clock: clock.RealClock{}}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	time.AfterFunc(time.Second, func() { point(t, path, ready.URL) })
	if said, err := a.reach(ctx, step.Ref{Cluster: "a", Context: "a"}, &pulse.Pulse{}); err != nil || said != "a answers" {
		t.Errorf("%q, %v", said, err)
	}
	if _, err := a.reach(ctx, step.Ref{Cluster: "a", Context: "absent"}, &pulse.Pulse{}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a context that is not there: %v", err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := a.reach(short, step.Ref{Cluster: "a", Context: "absent"}, &pulse.Pulse{}); err != context.DeadlineExceeded {
		t.Errorf("a context that may be there once the file is written ended with %v", err)
	}
}
