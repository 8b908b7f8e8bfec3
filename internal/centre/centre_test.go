package centre_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/credential"
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

func TestTasksAreThoseOfTheSite(t *testing.T) {
	w := newWorld(t)
	eu, us := w.member("eu", "eu"), w.member("us-1", "us")
	queue := func(name string, kind enums.TaskQueueKind) *workflowservice.PollActivityTaskQueueRequest {
		return &workflowservice.PollActivityTaskQueueRequest{
			Namespace: "default", Identity: "somebody else", TaskQueue: &taskqueue.TaskQueue{Name: name, Kind: kind},
		}
	}
	at := workflowservice.NewWorkflowServiceClient(eu)
	own := api.SiteQueue(api.Queue(installation), "eu")
	for _, c := range []struct {
		reason string
		req    *workflowservice.PollActivityTaskQueueRequest
		want   codes.Code
	}{
		{"its own queue", queue(own, enums.TASK_QUEUE_KIND_NORMAL), codes.OK},
		{"its own checks", queue(api.ChecksQueue(own), enums.TASK_QUEUE_KIND_UNSPECIFIED), codes.OK},
		{"the central queue", queue(api.Queue(installation), enums.TASK_QUEUE_KIND_NORMAL), codes.PermissionDenied},
		{"another site's", queue(api.SiteQueue(api.Queue(installation), "us"), enums.TASK_QUEUE_KIND_NORMAL), codes.PermissionDenied},
		{"a sticky one", queue(own, enums.TASK_QUEUE_KIND_STICKY), codes.PermissionDenied},
		{"none", &workflowservice.PollActivityTaskQueueRequest{Namespace: "default"}, codes.PermissionDenied},
		{"another namespace", &workflowservice.PollActivityTaskQueueRequest{Namespace: "other", TaskQueue: &taskqueue.TaskQueue{Name: own}},
			codes.PermissionDenied},
	} {
		if _, err := at.PollActivityTaskQueue(t.Context(), c.req); status.Code(err) != c.want {
			t.Errorf("%s: %v, want %v", c.reason, err, c.want)
		}
	}
	task, err := at.PollActivityTaskQueue(t.Context(), queue(own, enums.TASK_QUEUE_KIND_NORMAL))
	if err != nil {
		t.Fatal(err)
	}
	if w.temporal.polled.GetIdentity() != "agent:eu" || string(task.GetTaskToken()) == "token of Temporal" {
		t.Errorf("it asks as %q, and is given %q", w.temporal.polled.GetIdentity(), task.GetTaskToken())
	}
	complete := func(m member, token []byte) error {
		_, err := workflowservice.NewWorkflowServiceClient(m).RespondActivityTaskCompleted(t.Context(),
			&workflowservice.RespondActivityTaskCompletedRequest{Namespace: "default", TaskToken: token})
		return err
	}
	for _, c := range []struct {
		reason string
		from   member
		token  []byte
	}{
		{"a token as Temporal has it", eu, []byte("token of Temporal")}, {"another site's token", us, task.GetTaskToken()},
		{"a token that was changed", eu, append([]byte{1}, task.GetTaskToken()...)}, {"none", eu, nil},
	} {
		if err := complete(c.from, c.token); status.Code(err) != codes.PermissionDenied || w.temporal.done != nil {
			t.Errorf("%s: %v, want it denied", c.reason, err)
		}
	}
	if err := complete(eu, task.GetTaskToken()); err != nil || string(w.temporal.done.GetTaskToken()) != "token of Temporal" {
		t.Errorf("its own: %v (%v)", w.temporal.done, err)
	}
	for name, err := range map[string]error{
		"the histories of runs": second(at.GetWorkflowExecutionHistory(t.Context(),
			&workflowservice.GetWorkflowExecutionHistoryRequest{Namespace: "default"})),
		"to end a run": second(at.TerminateWorkflowExecution(t.Context(),
			&workflowservice.TerminateWorkflowExecutionRequest{Namespace: "default"})),
		"a command": second(at.SignalWorkflowExecution(t.Context(),
			&workflowservice.SignalWorkflowExecutionRequest{Namespace: "default"})),
		"a task of workflows": second(at.PollWorkflowTaskQueue(t.Context(),
			&workflowservice.PollWorkflowTaskQueueRequest{Namespace: "default"})),
		"an answer by names": second(at.RespondActivityTaskCompletedById(t.Context(),
			&workflowservice.RespondActivityTaskCompletedByIdRequest{Namespace: "default"})),
	} {
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v, want it not to be there", name, err)
		}
	}
}

// A unit that a worker has begun is ended by an agent, and its record is the central worker's: the agent reads both. No answer opens
// what the site was not given.
func TestATaskComesWithWhatItIsAbout(t *testing.T) {
	w := newWorld(t)
	eu, us := w.member("eu", "eu"), w.member("us-1", "us")
	put := func(text string) string {
		t.Helper()
		digest, err := w.ledger.PutBlob(t.Context(), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	changes, record, secret := put("changes by a worker"), put("a unit that has ended"), put("another site's")
	w.temporal.input = fmt.Appendf(nil, `{"cluster":"eu-1","workloads":[{"changes":%q}],"record":%q,"note":%q}`, changes, record, secret)
	at := workflowservice.NewWorkflowServiceClient(eu)
	task, err := at.PollActivityTaskQueue(t.Context(), &workflowservice.PollActivityTaskQueueRequest{
		Namespace: "default", TaskQueue: &taskqueue.TaskQueue{Name: api.SiteQueue(api.Queue(installation), "eu")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, digest := range []string{changes, record} {
		if _, err := uplink.Blob(t.Context(), eu, digest); err != nil {
			t.Errorf("what the task names is read: %v", err)
		}
		_, err := uplink.Blob(t.Context(), us, digest)
		w.want(err, fault.NotFound, "by another site")
	}
	_, err = uplink.Blob(t.Context(), eu, secret)
	w.want(err, fault.NotFound, "what it says beside")
	complete := func(result string) error {
		_, err := at.RespondActivityTaskCompleted(t.Context(), &workflowservice.RespondActivityTaskCompletedRequest{
			Namespace: "default", TaskToken: task.GetTaskToken(), Result: plainly([]byte(result)),
		})
		return err
	}
	for reason, result := range map[string]string{
		"a change set that is another site's": fmt.Sprintf(`{"changes":%q}`, secret),
		"with another field that is no text":  fmt.Sprintf(`{"CHANGES":%q,"record":["x"]}`, secret),
		"deep within":                         fmt.Sprintf(`{"workloads":[{"changes":%q}]}`, secret),
		"the last of two":                     fmt.Sprintf(`{"changes":%q,"Changes":%q}`, changes, secret),
	} {
		if err := complete(result); status.Code(err) != codes.NotFound || w.temporal.done != nil {
			t.Errorf("%s: %v", reason, err)
		}
	}
	for _, result := range []string{fmt.Sprintf(`{"changes":%q}`, changes), `{"changes":["text"]}`, `"text"`, ""} {
		if err := complete(result); err != nil {
			t.Errorf("%s: %v", result, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Whoever is revoked while it waits for a task does not get it: another does, at once.
func TestARevokedAgentGetsNoTask(t *testing.T) {
	w := newWorld(t)
	eu := w.member("eu", "eu")
	w.temporal.polling = func() {
		w.revoke("eu")
		w.clock.Step(3 * time.Second)
	}
	_, err := workflowservice.NewWorkflowServiceClient(eu).PollActivityTaskQueue(t.Context(), &workflowservice.PollActivityTaskQueueRequest{
		Namespace: "default", TaskQueue: &taskqueue.TaskQueue{Name: api.SiteQueue(api.Queue(installation), "eu")},
	})
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("%v", err)
	}
	failure := w.temporal.failed.GetFailure()
	if string(w.temporal.failed.GetTaskToken()) != "token of Temporal" || failure.GetApplicationFailureInfo().GetNonRetryable() {
		t.Errorf("the task is given back: %v", w.temporal.failed)
	}
	_, err = uplink.NextFence.Call(t.Context(), eu, uplink.FenceAsked{Unit: uplink.Unit{Cluster: "eu-1", Subject: component}})
	w.want(err, fault.Unauthorized, "a record")
}

func (w *world) revoke(agent string) {
	w.Helper()
	_, err := w.ledger.ChangeAgent(w.Context(), agent, func(a *ledger.Agent) error { a.Revoke("corp:ann", w.clock.Now()); return nil })
	if err != nil {
		w.Error(err)
	}
}

func TestWhoComesIn(t *testing.T) {
	w := newWorld(t)
	_, asked := request(t)
	shown := w.invite("eu", "eu")
	wrong := shown
	wrong.Secret += "x"
	_, err := w.enrol(wrong, asked, "v1.4.0")
	w.want(err, fault.Unauthorized, "a wrong secret")
	unknown := shown
	unknown.ID = "nobody"
	_, other := w.enrol(unknown, asked, "v1.4.0")
	w.want(other, fault.Unauthorized, "an invitation that there is not")
	if err.Error() != other.Error() {
		t.Errorf("a wrong secret and an unknown invitation are told apart: %v, %v", err, other)
	}
	_, err = w.enrol(shown, asked, "v1.2.9")
	w.want(err, fault.Refused, "a version that is two behind")
	_, err = w.enrol(shown, asked, "v1.5.0")
	w.want(err, fault.Refused, "a version that is ahead")
	_, err = w.enrol(shown, []byte("no request"), "v1.4.0")
	w.want(err, fault.Invalid, "no certificate request")
	first, err := w.enrol(shown, asked, "v1.3.7")
	if err != nil || first.Agent != "eu" || first.Site != "eu" {
		t.Fatalf("one minor version behind comes in, and what was refused has used nothing up: %+v (%v)", first, err)
	}
	if _, err := w.enrol(shown, asked, "v1.4.0"); err != nil {
		t.Errorf("who did not hear the answer asks again with the same key: %v", err)
	}
	_, stolen := request(t)
	_, err = w.enrol(shown, stolen, "v1.4.0")
	w.want(err, fault.Unauthorized, "an invitation that was used by another")
	late := w.invite("late", "eu")
	w.clock.Step(time.Hour + time.Second)
	_, err = w.enrol(late, stolen, "v1.4.0")
	w.want(err, fault.Unauthorized, "an invitation that is over")
	imitated := shown
	imitated.Pin = "AAAA" + imitated.Pin[4:]
	_, err = w.enrol(imitated, asked, "v1.4.0")
	w.want(err, fault.Unreachable, "a server of another authority")
}

// The token of an agent stays on its machine, and whoever has that has its key too.
func TestAnInvitationIsNoWayBackIn(t *testing.T) {
	w := newWorld(t)
	_, asked := request(t)
	shown, unused := w.invite("eu", "eu"), w.invite("eu", "eu")
	elsewhere := w.invite("eu", "us")
	w.clock.Step(time.Second)
	if _, err := w.enrol(shown, asked, "v1.4.0"); err != nil {
		t.Fatal(err)
	}
	_, err := w.enrol(elsewhere, asked, "v1.4.0")
	w.want(err, fault.Conflict, "one to another site, under a name that is taken")
	w.revoke("eu")
	_, err = w.enrol(shown, asked, "v1.4.0")
	w.want(err, fault.Unauthorized, "the one by which a revoked agent came in")
	_, err = w.enrol(unused, asked, "v1.4.0")
	w.want(err, fault.Unauthorized, "one that was handed over before the agent was revoked")
	w.clock.Step(time.Second)
	again := w.member("eu", "eu")
	w.clock.Step(time.Second)
	_, err = w.enrol(shown, asked, "v1.4.0")
	w.want(err, fault.Unauthorized, "the one of before, after somebody was let in anew")
	if _, err := w.beat(again, instance, nil); err != nil {
		t.Errorf("who was let in anew stays: %v", err)
	}
	third := w.invite("third", "eu")
	key, asked := request(t)
	in, err := w.enrol(third, asked, "v1.4.0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.beat(member{ClientConn: w.as(in.Certificate, key, instance)}, instance, nil); err != nil {
		t.Fatal(err)
	}
	_, err = w.enrol(third, asked, "v1.4.0")
	w.want(err, fault.Unauthorized, "one by which an agent has come in, and been there")
	w.clock.Step(-time.Minute)
	w.member("third", "eu") // by a server whose clock is behind
}

func TestCertificatesThatCount(t *testing.T) {
	w := newWorld(t)
	eu := w.member("eu", "eu")
	key, asked := request(t)
	newer, err := uplink.Renew.Call(t.Context(), eu, uplink.RenewRequest{Request: asked})
	if err != nil {
		t.Fatal(err)
	}
	fresh := member{w.as(newer.Certificate, key, instance), newer.Certificate, key}
	for reason, m := range map[string]member{"the newer one": fresh, "the one before, until it is known that the newer has come": eu} {
		if _, err := w.beat(m, instance, nil); err != nil {
			t.Errorf("%s counts: %v", reason, err)
		}
	}
	key2, asked2 := request(t)
	newest, err := uplink.Renew.Call(t.Context(), fresh, uplink.RenewRequest{Request: asked2})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.beat(eu, instance, nil)
	w.want(err, fault.Unauthorized, "one that was renewed twice over")
	last := member{w.as(newest.Certificate, key2, instance), newest.Certificate, key2}
	w.clock.Step(time.Second)
	again := w.member("eu", "eu") // enrolled anew
	_, err = w.beat(last, instance, nil)
	w.want(err, fault.Unauthorized, "one of before it was enrolled anew")
	stranger := w.dial(credentials.NewTLS(credential.DialPinned(w.authority.Pin(), time.Now)), instance)
	_, err = uplink.Beat.Call(t.Context(), stranger, uplink.BeatRequest{Instance: instance})
	w.want(err, fault.Unauthorized, "none")
	dir := t.TempDir()
	if err := credential.NewAuthority(dir, time.Now()); err != nil {
		t.Fatal(err)
	}
	foreign, err := credential.ReadAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	forged, _, err := foreign.Agent("eu", asked, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.beat(member{ClientConn: w.as(forged, key, instance)}, instance, nil)
	w.want(err, fault.Unreachable, "one of another authority, whose handshake fails")
	w.clock.Step(credential.CertificateLives + time.Minute)
	_, err = w.beat(again, instance, nil)
	w.want(err, fault.Unauthorized, "one that is over, on a connection that is older")
}

func TestOneProcessOfAnAgent(t *testing.T) {
	w := newWorld(t)
	first := w.member("eu", "eu")
	const other = "instance-2"
	second := member{w.as(first.certificate, first.key, other), first.certificate, first.key}
	_, err := w.beat(second, other, nil)
	w.want(err, fault.Conflict, "a second process")
	_, asked := request(t)
	_, err = uplink.Renew.Call(t.Context(), second, uplink.RenewRequest{Request: asked})
	w.want(err, fault.Conflict, "a second process that would have the first one's certificates be old")
	unit := uplink.FenceAsked{Unit: uplink.Unit{Cluster: "eu-1", Subject: component}}
	_, err = uplink.NextFence.Call(t.Context(), second, unit)
	w.want(err, fault.Conflict, "what a second process asks")
	if _, err := uplink.NextFence.Call(t.Context(), first, unit); err != nil {
		t.Errorf("the first goes on: %v", err)
	}
	w.clock.Step(ledger.AgentBeatsWithin)
	if _, err := w.beat(second, other, nil); err != nil {
		t.Errorf("who waited until the first is gone is there: %v", err)
	}
	w.clock.Step(3 * time.Second)
	_, err = uplink.NextFence.Call(t.Context(), first, unit)
	w.want(err, fault.Conflict, "what the first asks then")

	uid := func(uid string) []ledger.AgentCluster { return []ledger.AgentCluster{{Name: "eu-1", UID: uid}} }
	if _, err := w.beat(second, other, uid("aaa")); err != nil {
		t.Fatal(err)
	}
	replica := w.member("eu-b", "eu")
	if _, err := w.beat(replica, instance, uid("aaa")); err != nil {
		t.Errorf("two agents reach one cluster: %v", err)
	}
	_, err = w.beat(replica, instance, uid("bbb"))
	w.want(err, fault.Conflict, "two agents that reach two clusters by one name")
}

func TestAClockThatIsTenMinutesOff(t *testing.T) {
	w := newWorld(t)
	m := w.member("eu", "eu")
	for _, off := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		stand, err := uplink.Beat.Call(t.Context(), m, uplink.BeatRequest{Instance: instance, Build: "v1.4.0", Now: w.clock.Now().Add(off)})
		if err != nil || !stand.Now.Equal(w.clock.Now().UTC()) {
			t.Fatalf("it is told the server's time: %v (%v)", stand.Now, err)
		}
		all, err := w.ledger.ListAgents(t.Context())
		if err != nil || all[0].Ahead != off || !all[0].There(w.clock.Now()) {
			t.Errorf("it is there, and its clock is known to be off: %+v (%v)", all, err)
		}
	}
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

// A stranger is let say one thing, and not for long.
func TestStrangersDoNotStay(t *testing.T) {
	w := newWorld(t)
	stranger := w.dial(credentials.NewTLS(credential.DialPinned(w.authority.Pin(), time.Now)), instance)
	open := func(method string) grpc.ClientStream {
		t.Helper()
		stream, err := stranger.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method,
			grpc.CallContentSubtype("sluice-json"))
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	answered := make(chan error, 1)
	beat := open(uplink.Beat.Path())
	go func() { answered <- beat.RecvMsg(&struct{}{}) }()
	select {
	case err := <-answered:
		w.want(uplink.FromStatus(err), fault.Unauthorized, "a call of which nothing was read yet")
	case <-ctx.Done():
		t.Error("the server waits for what a stranger has to say")
	}
	w.want(uplink.FromStatus(open(uplink.Enrol.Path()).RecvMsg(&struct{}{})), fault.Unreachable, "one who says nothing for long")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := credential.Request(key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.enrol(w.invite("eu", "eu"), asked, "v1.4.0")
	w.want(err, fault.Invalid, "a key that may take long to check")
	_, err = w.enrol(w.invite("eu", "eu"), bytes.Repeat([]byte("x"), 1<<20), "v1.4.0")
	w.want(err, fault.Invalid, "a request without end")
}

// Strangers cost the ledger a write each, and an agent may not fill it.
func TestStrangersAreBounded(t *testing.T) {
	w := newWorld(t)
	shown := w.invite("eu", "eu")
	_, asked := request(t)
	stranger := w.dial(credentials.NewTLS(credential.DialPinned(shown.Pin, time.Now)), "")
	refused := 0
	for range 300 {
		_, err := uplink.Enrol.Call(t.Context(), stranger, uplink.EnrolRequest{Invitation: "nobody", Secret: "x", Request: asked,
			Build: "v1.4.0"})
		switch fault.CodeOf(err) {
		case fault.Refused:
			refused++
		case fault.Unauthorized:
		default:
			t.Fatal(err)
		}
	}
	if refused < 200 {
		t.Errorf("%d of 300 were refused", refused)
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
