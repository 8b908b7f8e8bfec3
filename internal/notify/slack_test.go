package notify_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"sluice.dev/sluice/internal/notify"
	"sluice.dev/sluice/internal/secret"
	"sluice.dev/sluice/pipelines"
)

func TestSlackGetsATextThatMentionsNobody(t *testing.T) {
	var got struct{ Text string }
	kind := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind = r.Header.Get("Content-Type")
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		_, _ = w.Write([]byte("ok"))
	}))
	t.Cleanup(server.Close)
	store := secret.Store{Lookup: func(string) (string, bool) { return server.URL + "/services/T0/B0/x", true }}
	e := notify.Sample("pager", noon)
	e.Event, e.WaitsFor = pipelines.EventApproval, "approval production: 0 of 1 approvals, by <!channel> & ben"
	s := &notify.Sender{Secrets: store, Clock: testclock.NewFakeClock(noon), Within: 30 * time.Second}
	a := s.Send(t.Context(), &pipelines.Receiver{Spec: pipelines.ReceiverSpec{
		Slack: &pipelines.SlackReceiver{URLFrom: pipelines.WorkerSecret{Env: "SLUICE_SECRET_URL"}},
	}}, e)
	if !a.Took || !strings.HasPrefix(kind, "application/json") {
		t.Errorf("it was sent as %s, and said %+v", kind, a)
	}
	first, rest, _ := strings.Cut(got.Text, "\n")
	if first != "*Test: sample-1 (sample 1.0.0): approval*" || !strings.Contains(rest, "by &lt;!channel&gt; &amp; ben") {
		t.Errorf("it got %q", got.Text)
	}
}
