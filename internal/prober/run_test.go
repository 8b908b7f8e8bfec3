package prober_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/probing"
)

// What could not run is an Error, whatever ended it; a case fails by what it says, or by how its program ends.
func TestHowARunEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reason  string
		status  object
		change  func(*probing.Config)
		verdict api.Verdict
		code    string
		says    string
	}{
		{"its program succeeds", exits(0, "all is well"), nil, api.Passed, "", "all is well"},
		{"its program fails", exits(3, "no pod in 30s"), nil, api.Failed, "ExitStatus", "exit status 3: no pod in 30s"},
		{"it cannot tell", exits(75, ""), nil, api.Inconclusive, "ExitStatus", "exit status 75"},
		{"a command of it is not there", exits(127, "jq: not found"), nil, api.Error, "CommandNotFound", "jq: not found"},
		{"a signal ended it", exits(137, ""), nil, api.Error, "Signal", "exit status 137"},
		{"it says more in its last message", exits(1, `{"verdict": "Inconclusive", "code": "NoTraffic", "message": "nobody asks"}`), nil,
			api.Inconclusive, "NoTraffic", "nobody asks"},
		{"its last message is a report that could not be sent", exits(0, `{"OK": false, "Errors": ["etcd is gone"]}`), nil,
			api.Failed, "", "etcd is gone"},
		{"its last message has a code of its own making", exits(1, `{"verdict": "Failed", "code": "no leader in etcd-1"}`), nil,
			api.Error, "Contradiction", "no word of letters"},
		{"a part of its last message has no verdict", exits(1, `{"verdict": "Failed", "parts": [{"name": "put", "verdict": "Bad"}]}`), nil,
			api.Error, "Contradiction", "part put has no verdict"},
		{"an observation in it is none", exits(1, `{"verdict": "Failed", "observations": {"a": [1, 2]}}`), nil,
			api.Error, "Contradiction", "no number, text or boolean"},
		{"it contradicts itself", exits(1, `{"verdict": "Passed"}`), nil, api.Error, "Contradiction", "says that it passed"},
		{"a check of Kuberhealthy's has to report", exits(0, ""), func(c *probing.Config) { c.Spec.Pod.Contract = probing.ContractV3 },
			api.Error, "NoReport", "has not reported"},
		{"its image does not come", state("Pending", "waiting", object{"reason": "ImagePullBackOff", "message": "no such image"}), nil,
			api.Error, "ImagePullBackOff", "no such image"},
		{"it was evicted", object{"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, nil, api.Error, "Evicted", "low on memory"},
		{"it used too much memory", state("Failed", "terminated", object{"exitCode": int64(137), "reason": "OOMKilled"}), nil, api.Error, "OOMKilled", ""},
		{"no pod can be made of it", nil, func(c *probing.Config) { c.Spec.Pod.CPU = "much" }, api.Error, "PodInvalid", "limit of cpu"},
		{"it asks for a capability that nobody gets", nil, func(c *probing.Config) {
			c.Spec.Pod.Exceptions = []probing.Exception{{Name: "all", Because: "why not", Capabilities: []string{"SYS_ADMIN"}}}
		}, api.Error, "PodInvalid", "SYS_ADMIN"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.Kubelet = func(*unstructured.Unstructured) map[string]any { return c.status }
			s.probe("pod-life", func(p *probing.Config) {
				if c.change != nil {
					c.change(p)
				}
			})
			r := s.run("pod-life", "", "1")
			s.start()
			got := s.done(r).Status.Result
			if got.Verdict != c.verdict || got.Code != c.code || !strings.Contains(got.Message, c.says) {
				t.Errorf("%s %s: %q; want %s %s: %q", got.Verdict, got.Code, got.Message, c.verdict, c.code, c.says)
			}
			o := s.outcomes()
			if len(o) != 1 || o[0].Verdict != c.verdict || o[0].Cluster != "eu-1" || o[0].Case != "pod-life" || o[0].Started.IsZero() || o[0].Ended.IsZero() {
				t.Errorf("it is said: %+v", o)
			}
		})
	}
}

func TestAReportIsTheResult(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Kubelet = func(*unstructured.Unstructured) map[string]any { return running() }
	s.probe("etcd")
	r := s.run("etcd", "", "1")
	s.start()
	s.until("no pod runs", func() bool { return len(s.pods()) == 1 })
	p := s.pods()[0]
	if code := s.report(p, `{"OK": false, "Errors": ["member 2 is gone"], "sluice": {"verdict": "Failed", "code": "MemberGone"}}`); code != 200 {
		t.Fatalf("the report is answered with %d", code)
	}
	if got := s.runs()[0].Status; got.Phase != probing.RunDone || got.Result == nil {
		t.Fatalf("what was answered with 200 is not written: %+v", got)
	}
	if code := s.report(p, `{"OK": true, "Errors": []}`); code != 400 {
		t.Errorf("a second report is answered with %d", code)
	}
	if code := s.reportAs("of nobody", env(p, "KH_REPORTING_URL"), `{"OK": true, "Errors": []}`); code != 400 {
		t.Errorf("a report for another run is answered with %d", code)
	}
	s.becomes(p, exits(0, "fine"))
	got := s.done(r).Status.Result
	if got.Verdict != api.Failed || got.Code != "MemberGone" || got.By != "report" || got.Message != "member 2 is gone" {
		t.Errorf("the result is %+v", got)
	}
	if st := s.stand("etcd", ""); st.State != probing.Failing || st.Severity != "P2" || st.Last.Code != "MemberGone" {
		t.Errorf("it stands so: %+v", st)
	}
	s.until("the status of the case does not say so", func() bool {
		all := s.configs()[0].Status.Targets
		return len(all) == 1 && all[0].State == probing.Failing && all[0].Run == r.Name
	})
}
