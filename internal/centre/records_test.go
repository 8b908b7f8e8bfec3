package centre_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/internal/uplink"
)

var component = api.Component("agent")

// asked are all calls about one cluster, by name.
func asked(ctx context.Context, m member, cluster, digest string) map[string]error {
	unit := uplink.Unit{Cluster: cluster, Subject: component, Run: "agent-1"}
	said := map[string]error{}
	note := func(name string, err error) { said[name] = err }
	_, err := uplink.Deployment.Call(ctx, m, unit)
	note("Deployment", err)
	_, err = uplink.PastDeployment.Call(ctx, m, uplink.PastAsked{Unit: unit, Target: "t"})
	note("PastDeployment", err)
	_, err = uplink.SaveDeployment.Call(ctx, m, ledger.Deployment{Cluster: cluster, Subject: component, Run: "agent-1", Objects: digest,
		Fence: 1})
	note("SaveDeployment", err)
	_, err = uplink.RemoveDeployment.Call(ctx, m, unit)
	note("RemoveDeployment", err)
	_, err = uplink.ListWrites.Call(ctx, m, unit)
	note("ListWrites", err)
	_, err = uplink.ListMade.Call(ctx, m, unit)
	note("ListMade", err)
	_, err = uplink.SaveWrite.Call(ctx, m, ledger.Write{Run: "agent-1", Cluster: cluster, Subject: component, Object: "o", Step: "patch",
		Intent: digest})
	note("SaveWrite", err)
	_, err = uplink.ListPreImages.Call(ctx, m, unit)
	note("ListPreImages", err)
	_, err = uplink.ListEraWrites.Call(ctx, m, unit)
	note("ListEraWrites", err)
	_, err = uplink.SavePreImage.Call(ctx, m, ledger.PreImage{Run: "agent-1", Cluster: cluster, Subject: component, Object: "o", UID: "u",
		Image: digest})
	note("SavePreImage", err)
	_, err = uplink.EndPreImages.Call(ctx, m, uplink.EndAsked{Unit: unit, By: "agent-1"})
	note("EndPreImages", err)
	_, err = uplink.NextFence.Call(ctx, m, uplink.FenceAsked{Unit: unit})
	note("NextFence", err)
	_, err = uplink.SaveObservation.Call(ctx, m, ledger.Observation{Cluster: cluster, Subject: component})
	note("SaveObservation", err)
	return said
}

// A stolen certificate reads and writes nothing of a cluster of another site.
func TestAnAgentHasNothingToDoWithAnotherSite(t *testing.T) {
	w := newWorld(t)
	eu, us := w.member("eu", "eu"), w.member("us-1", "us")
	secret, err := uplink.PutBlob(t.Context(), us, []byte("of us-1"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := uplink.PutBlob(t.Context(), eu, []byte("of eu"))
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range asked(t.Context(), us, "us-1", secret) {
		if code := fault.CodeOf(err); err != nil && code != fault.NotFound {
			t.Errorf("%s about an own cluster is refused: %v", name, err)
		}
	}
	before, err := w.ledger.ListWrites(t.Context(), "agent-1", "us-1")
	if err != nil || len(before) != 1 {
		t.Fatalf("there is something to read: %v (%v)", before, err)
	}
	for name, err := range asked(t.Context(), eu, "us-1", own) {
		w.want(err, fault.Unauthorized, name+" about another site's cluster")
	}
	for name, err := range asked(t.Context(), eu, "nowhere", own) {
		w.want(err, fault.Unauthorized, name+" about a cluster that nobody has")
	}
	_, err = uplink.Blob(t.Context(), eu, secret)
	w.want(err, fault.NotFound, "a blob of another site, by its digest")
	data, err := uplink.Blob(t.Context(), us, secret)
	if err != nil || string(data) != "of us-1" {
		t.Errorf("the site that stored it reads %q (%v)", data, err)
	}
	// A record that names it would have it read.
	said := asked(t.Context(), eu, "eu-1", secret)
	for _, name := range []string{"SaveWrite", "SavePreImage", "SaveDeployment"} {
		w.want(said[name], fault.NotFound, name+" with a blob of another site")
	}
	seen, err := uplink.ListObservations.Call(t.Context(), eu, component)
	for _, o := range seen {
		if o.Cluster == "us-1" {
			t.Errorf("it reads what was seen of %s", o.Cluster)
		}
	}
	if err != nil || len(seen) != 1 {
		t.Errorf("it reads what was seen of its own: %v (%v)", seen, err)
	}
}

// A plan is cut down to the units of the site, and one without any of them is not there.
func TestAnAgentSeesItsOwnPartOfAPlan(t *testing.T) {
	w := newWorld(t)
	eu, us := w.member("eu", "eu"), w.member("us-1", "us")
	values := map[string]string{}
	for _, cluster := range []string{"eu-1", "us-1", "far"} {
		digest, err := w.ledger.PutBlob(t.Context(), []byte("password of "+cluster))
		if err != nil {
			t.Fatal(err)
		}
		values[cluster] = digest
	}
	template, err := w.ledger.PutBlob(t.Context(), []byte("template"))
	if err != nil {
		t.Fatal(err)
	}
	save := func(clusters ...string) string {
		p := &plan.Plan{Format: plan.Format, Subject: component, Version: "1", Source: plan.Source{Template: template},
			Notes: []string{"far is near"}}
		group := plan.Group{}
		for _, c := range clusters {
			group.Units = append(group.Units, plan.Unit{Cluster: c, Path: "g/" + c, Values: values[c], After: []string{"far"}})
		}
		p.Stages = []plan.StagePlan{{Name: "all", Groups: []plan.Group{group}, LeftOut: []plan.LeftOut{{}}}}
		body, err := plan.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := w.ledger.PutBlob(t.Context(), body)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.ledger.SavePlan(t.Context(), ledger.Plan{Hash: digest, Subject: component, Version: "1", Body: digest, By: "ann",
			Created: time.Now()}); err != nil {
			t.Fatal(err)
		}
		return digest
	}
	all, foreign := save("eu-1", "us-1", "far"), save("far")
	got, err := uplink.Plan.Call(t.Context(), eu, all)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Decode(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if units := p.AllUnits(); len(units) != 1 || units[0].Cluster != "eu-1" || len(units[0].After) > 0 || len(p.Notes) > 0 || len(p.Stages[0].LeftOut) > 0 {
		t.Errorf("it sees %+v", p)
	}
	if _, stage, ok := p.Unit("eu-1"); !ok || stage.Name != "all" {
		t.Error("its own unit is where it was")
	}
	for _, digest := range []string{template, values["eu-1"]} {
		if _, err := uplink.Blob(t.Context(), eu, digest); err != nil {
			t.Errorf("what its unit is carried out with is read: %v", err)
		}
	}
	for _, digest := range []string{values["us-1"], values["far"], all} {
		_, err := uplink.Blob(t.Context(), eu, digest)
		w.want(err, fault.NotFound, "what another unit is carried out with")
	}
	_, err = uplink.Plan.Call(t.Context(), us, foreign)
	w.want(err, fault.NotFound, "a plan of others alone")
	_, err = uplink.Blob(t.Context(), us, template)
	w.want(err, fault.NotFound, "the template of a plan that it never asked for")
}

// What comes late is kept only where nothing newer is: another agent may have gone on meanwhile.
func TestReportsThatComeLate(t *testing.T) {
	w := newWorld(t)
	eu := w.member("eu", "eu")
	intent, err := uplink.PutBlob(t.Context(), eu, []byte("intent"))
	if err != nil {
		t.Fatal(err)
	}
	newer, err := uplink.PutBlob(t.Context(), eu, []byte("newer intent"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(object, intent, version string) ledger.Write {
		return ledger.Write{
			Run: "agent-1", Cluster: "eu-1", Subject: component, Object: object, Step: "patch", Intent: intent, ResourceVersion: version,
		}
	}
	for _, known := range []ledger.Write{write("open", intent, ""), write("done", intent, "9"), write("overtaken", newer, "")} {
		if err := w.ledger.SaveWrite(t.Context(), known); err != nil {
			t.Fatal(err)
		}
	}
	seen := func(cluster, version string, minute int) ledger.Observation {
		return ledger.Observation{Cluster: cluster, Subject: component, Version: version,
			Seen: w.clock.Now().Add(time.Duration(minute) * time.Minute)}
	}
	for _, known := range []ledger.Observation{seen("eu-1", "newer", 5), seen("eu-2", "older", 1), seen("us-1", "another's", 0)} {
		if err := w.ledger.SaveObservation(t.Context(), known); err != nil {
			t.Fatal(err)
		}
	}
	var all []uplink.Report
	for _, object := range []string{"open", "done", "overtaken", "unknown"} {
		late := write(object, intent, "5")
		all = append(all, uplink.Report{Write: &late})
	}
	foreign := write("open", intent, "5")
	foreign.Cluster = "us-1"
	all = append(all, uplink.Report{Write: &foreign}, uplink.Report{})
	for _, late := range []ledger.Observation{seen("eu-1", "late", 3), seen("eu-2", "late", 3), seen("us-1", "late", 3)} {
		all = append(all, uplink.Report{Observation: &late})
	}
	for range 2 { // the first answer may be lost
		if _, err := uplink.ReportLate.Call(t.Context(), eu, all); err != nil {
			t.Fatal(err)
		}
	}
	kept := map[string]string{}
	for _, cluster := range []string{"eu-1", "us-1"} {
		writes, err := w.ledger.ListWrites(t.Context(), "agent-1", cluster)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range writes {
			kept[cluster+" "+k.Object] = k.ResourceVersion
		}
	}
	sightings, err := w.ledger.ListObservations(t.Context(), component)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range sightings {
		kept[o.Cluster] = o.Version
	}
	want := map[string]string{
		"eu-1 open": "5", "eu-1 done": "9", "eu-1 overtaken": "", "eu-1": "newer", "eu-2": "late", "us-1": "another's",
	}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("what is kept (-want +got):\n%s", diff)
	}
	_, err = uplink.ReportLate.Call(t.Context(), eu, make([]uplink.Report, 1001))
	w.want(err, fault.Invalid, "more than one call may have")
}

// Somebody who opens streams of blobs and says nothing on them, or reads nothing of them, keeps nobody else from theirs.
func TestASlowAgentKeepsNobodyWaiting(t *testing.T) {
	w := newWorld(t)
	slow, other := w.member("eu", "eu"), w.member("us-1", "us")
	large, err := uplink.PutBlob(t.Context(), slow, bytes.Repeat([]byte("x"), 4<<20))
	if err != nil {
		t.Fatal(err)
	}
	open := func(name string) grpc.ClientStream {
		t.Helper()
		stream, err := slow.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
			"/sluice.agents.v1.Centre/"+name, grpc.CallContentSubtype("sluice-json"))
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
	var silent []grpc.ClientStream
	for range 20 {
		silent = append(silent, open("PutBlob"))
		if err := open("Blob").SendMsg(map[string]string{"digest": large}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), 2500*time.Millisecond)
	defer stop()
	for i := range 50 { // until all of those have come
		if _, err := uplink.PutBlob(ctx, other, fmt.Append(nil, i)); err != nil {
			t.Fatalf("another one stores a blob: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	for _, stream := range silent[:2] {
		w.want(uplink.FromStatus(stream.RecvMsg(&struct{}{})), fault.Unreachable, "a blob of which nothing comes")
	}
}

// What an agent says goes into plans and onto screens: it has the shape of what it is said to be.
func TestWhatAnAgentSaysIsBounded(t *testing.T) {
	w := newWorld(t)
	eu := w.member("eu", "eu")
	_, err := uplink.Beat.Call(t.Context(), eu, uplink.BeatRequest{
		Instance: instance, Host: "node\n\x1b[2Jnothing", Build: "v1.4.0", Now: w.clock.Now(), Clusters: []ledger.AgentCluster{
			{Name: "eu-1", UID: "a\nb", Version: "v1.36.3, most have it\nRisk: none", Nodes: math.MaxInt, Pods: -1,
				Zones: []string{"b", "a", "b", "<b>", strings.Repeat("z", 64)}, Problem: "no\r\nway"},
			{Name: "eu-2", UID: "4e7b-a", Version: "v1.36.3+k3s1", Nodes: 5, Pods: math.MaxInt},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := w.ledger.ListAgents(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	want := []ledger.AgentCluster{
		{Name: "eu-1", Nodes: 100_000, Zones: []string{"a", "b"}, Problem: "no  way"},
		{Name: "eu-2", UID: "4e7b-a", Version: "v1.36.3+k3s1", Nodes: 5, Pods: 10_000_000},
	}
	if diff := cmp.Diff(want, all[0].Clusters); diff != "" || all[0].Host != "node  [2Jnothing" {
		t.Errorf("%q says (-want +got):\n%s", all[0].Host, diff)
	}
	_, err = uplink.SaveWrite.Call(t.Context(), eu, ledger.Write{
		Run: "agent-1", Cluster: "eu-1", Subject: component, Object: strings.Repeat("o", 257<<10), Step: "patch",
	})
	w.want(err, fault.Invalid, "a record as large as a blob")
}
