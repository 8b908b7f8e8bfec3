package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/git/gittest"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/plan"
	"sluice.dev/sluice/pipelines"
)

// followBench is a bench that follows a repository, round by round, as its workflow does.
type followBench struct {
	*bench
	repository *gittest.Repository
	state      api.SourceState
	paused     []string // runs that were told to pause, or to end, with why
}

// followsWith is a bench with a Source and a Trigger, and the first commit noted.
func followsWith(t *testing.T, source, trigger string) *followBench {
	t.Helper()
	server := gittest.Start(t)
	b := &followBench{bench: newBench(t), repository: server.Repository("infra")}
	b.Engine = b.engine(func(from pipelines.WorkerSecret) (string, error) { return "secret of " + from.File, nil })
	b.temporal.onUpdate = func(o client.UpdateWorkflowOptions) (api.Answer, error) {
		b.paused = append(b.paused, fmt.Sprintf("%s %s: %s", o.UpdateName, o.WorkflowID, o.Args[0].(api.Command).Reason))
		return api.Answer{}, nil
	}
	b.apply("source.yaml", "kind: Source\nmetadata: {name: infra}\nspec: {url: \""+b.repository.URL+"\", branch: main, paths: [fleet, agent.yaml, agent]"+source+"}\n")
	if trigger != "" {
		b.apply("trigger.yaml", "kind: Trigger\nmetadata: {name: merged}\nspec: {source: infra, "+trigger+"}\n")
	}
	b.commit("first", component("1.0.0"))
	b.deploy("c1", "agent-0", "1.0.0")
	b.deploy("c2", "agent-0", "1.0.0")
	return b
}

// engine is one as a worker has it.
func (b *followBench) engine(secrets func(pipelines.WorkerSecret) (string, error)) *engine.Engine {
	return engine.New(b.ledger, func(context.Context) (*engine.Server, error) {
		return &engine.Server{Temporal: b.temporal, Address: "fake:7233", Namespace: "default"}, nil
	}, engine.Options{
		Clock: b.clock, Proven: true, Secrets: secrets,
		Patience: engine.Patience{Query: 100 * time.Millisecond, Command: 100 * time.Millisecond, Worker: 10 * time.Millisecond},
	})
}

func (b *followBench) apply(name, text string) {
	b.t.Helper()
	b.write("kept/"+name, "apiVersion: sluice.dev/v1alpha1\n"+text)
	_, err := b.Apply(b.t.Context(), engine.ApplyRequest{Files: engine.Files{Paths: []string{b.dir + "/kept/" + name}}, By: "ann", Reason: "a test"})
	if err != nil {
		b.t.Fatal(err)
	}
}

// commit pushes a component beside the fleet.
func (b *followBench) commit(message, component string) string {
	b.t.Helper()
	return b.repository.Commit(message, map[string]string{
		"fleet/fleet.yaml": fleet, "agent.yaml": component, "agent/agent.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: agent}\n",
	})
}

// round does what the workflow does in one round.
func (b *followBench) round() {
	b.t.Helper()
	s, ctx := &b.state, b.t.Context()
	looked, err := b.LookAtSource(ctx, api.SourceLook{Source: "infra", Of: s.Of, Commit: s.Commit, Accept: s.Accept})
	if err != nil {
		b.t.Fatal(err)
	}
	if looked.Of != s.Of {
		*s = api.SourceState{Of: looked.Of}
	}
	s.Error = looked.Error
	if looked.Head != "" && looked.Head != s.Commit {
		came, err := b.FollowSource(ctx, api.SourceFollow{Source: "infra", Head: looked.Head, State: *s})
		if err != nil {
			b.t.Fatal(err)
		}
		if came.Again {
			s.Error = came.Error
			return
		}
		s.Commit, s.Did, s.Wrong, s.Waiting, s.Runs = looked.Head, came.Did, came.Error, came.Waiting, came.Runs
		if came.Known != "" {
			s.Known, s.KnownAt = came.Known, looked.Head
		}
	}
	tended, err := b.TendSource(ctx, api.SourceTend{Source: "infra", State: *s})
	if err != nil {
		b.t.Fatal(err)
	}
	s.Waiting, s.Runs = tended.Waiting, tended.Runs
	if tended.Did != "" {
		s.Did = tended.Did
	}
	if tended.Error != "" {
		s.Error = tended.Error
	}
	b.temporal.open = map[string]bool{}
	for _, r := range s.Runs {
		b.temporal.open[r.Run] = true
	}
}

// says fails the test unless the state says all of some words, and nothing went wrong where none is of that.
func (b *followBench) says(words ...string) {
	b.t.Helper()
	text := fmt.Sprintf("did: %s | wrong: %s | error: %s", b.state.Did, b.state.Wrong, b.state.Error)
	for _, w := range words {
		if !strings.Contains(text, w) {
			b.t.Fatalf("it does not say %q: %s", w, text)
		}
	}
}

// runs are the runs there are, the newest first, each with who started it.
func (b *followBench) runs() []ledger.Run {
	b.t.Helper()
	all, err := b.ledger.ListRuns(b.t.Context(), api.Component("agent"), 0)
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

func (b *followBench) closes(run string) {
	b.t.Helper()
	r, err := b.ledger.Run(b.t.Context(), run)
	if err != nil {
		b.t.Fatal(err)
	}
	b.end(r, api.UnitStatus{Cluster: "c1", Phase: api.PhaseSucceeded}, api.UnitStatus{Cluster: "c2", Phase: api.PhaseSucceeded})
}

const everyMerge = "components: {all: true}, run: true"

func TestWhatIsMergedIsPlannedAndStarted(t *testing.T) {
	b := followsWith(t, "", everyMerge)
	b.round()
	b.says("first look: 1 component noted, and nothing planned")
	if len(b.runs()) != 0 {
		t.Fatal("what was there before anybody followed is started")
	}
	b.repository.Commit("docs", map[string]string{"README.md": "x"})
	b.round()
	b.says("no component has changed", "wrong:  | error: ")
	commit := b.commit("new version", component("2.0.0"))
	b.round()
	b.says("agent 2.0.0: started as agent-1")
	run := b.runs()[0]
	if run.By != "source:infra [ci]" || run.Version != "2.0.0" || !strings.Contains(run.Reason, commit[:12]) {
		t.Errorf("the run is %+v", run)
	}
	planned, err := b.LoadPlan(t.Context(), run.Plan)
	if err != nil || planned.Stored.Origin.Commit != commit || planned.Stored.Origin.Repository != b.repository.URL {
		t.Errorf("its plan is from %+v, %v", planned.Stored.Origin, err)
	}
	b.round()
	if n := len(b.runs()); n != 1 {
		t.Errorf("a further look has started %d runs", n)
	}
}

// TestWhoIsKilledStartsNothingTwice has a worker die after it has started a run, and before anybody has noted that.
func TestWhoIsKilledStartsNothingTwice(t *testing.T) {
	b := followsWith(t, "", everyMerge)
	b.round()
	b.commit("new version", component("2.0.0"))
	before := b.state
	b.round()
	started := b.state.Runs
	b.state = before
	b.round()
	if n := len(b.runs()); n != 1 || !slices.EqualFunc(started, b.state.Runs, func(a, b api.SourceRun) bool { return a.Run == b.Run }) {
		t.Errorf("there are %d runs, of which it knows %v, and knew %v", n, b.state.Runs, started)
	}
}

func TestWhileARunIsOpen(t *testing.T) {
	for name, c := range map[string]struct {
		reason  string
		trigger string
		says    string // once two further versions were merged
		told    string
		then    []string // versions of all runs, once the open one has ended
	}{
		"queue": {
			"the default waits, and starts the newest of those that wait", everyMerge, "agent 4.0.0 waits behind agent-1 (2.0.0)", "",
			[]string{"4.0.0", "2.0.0"},
		},
		"supersede": {
			"the open one is ended for it, once", everyMerge + ", whileOpen: Supersede", "agent 4.0.0 waits until agent-1, which was told to end for it, has ended",
			"abort agent-1: superseded by agent", []string{"4.0.0", "2.0.0"},
		},
		"refuse": {
			"it is left, and said so", everyMerge + ", whileOpen: Refuse", "agent 4.0.0 is not started: agent-1 (2.0.0) is open", "",
			[]string{"2.0.0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := followsWith(t, "", c.trigger)
			b.round()
			for _, v := range []string{"2.0.0", "3.0.0", "4.0.0"} {
				b.commit("version "+v, component(v))
				b.round()
			}
			b.says(c.says)
			b.round()
			if told := strings.Join(b.paused, "\n"); !strings.Contains(told, c.told) || c.told == "" && told != "" {
				t.Errorf("%s: it was told %q", c.reason, b.paused)
			}
			b.closes("agent-1")
			b.round()
			var versions []string
			for _, r := range b.runs() {
				versions = append(versions, r.Version)
			}
			if !slices.Equal(versions, c.then) {
				t.Errorf("%s: there are runs of %v; %s, %s", c.reason, versions, b.state.Did, b.state.Error)
			}
		})
	}
}

func TestWhatIsRevertedPausesItsRun(t *testing.T) {
	b := followsWith(t, "", everyMerge)
	b.round()
	b.commit("new version", component("2.0.0"))
	b.round()
	b.says("started as agent-1")
	b.repository.Git("revert", "--no-edit", "HEAD")
	b.repository.Git("push", "--quiet", "origin", "HEAD")
	b.round()
	b.says("agent-1 is paused: its commit was reverted", "it is what it was before agent-1")
	if len(b.paused) != 1 || !strings.HasPrefix(b.paused[0], "pause agent-1: commit ") || !strings.Contains(b.paused[0], "agent is again what it was before") {
		t.Errorf("it was told %q", b.paused)
	}
	b.round()
	if len(b.runs()) != 1 || len(b.paused) != 1 {
		t.Errorf("there are %d runs, and %q", len(b.runs()), b.paused)
	}
	b.commit("newer", component("3.0.0"))
	b.round()
	b.says("agent 3.0.0 waits behind agent-1")
}

// TestAPauseThatFailsIsTriedAgain has Temporal be away as a revert is seen: nothing of the commit counts before it is told.
func TestAPauseThatFailsIsTriedAgain(t *testing.T) {
	b := followsWith(t, "", everyMerge)
	b.round()
	b.commit("new version", component("2.0.0"))
	b.round()
	b.repository.Git("revert", "--no-edit", "HEAD")
	b.repository.Git("push", "--quiet", "origin", "HEAD")
	told := b.temporal.onUpdate
	b.temporal.onUpdate = func(client.UpdateWorkflowOptions) (api.Answer, error) {
		return api.Answer{}, serviceerror.NewUnavailable("away")
	}
	before := b.state.Commit
	b.round()
	if b.state.Commit != before || b.state.Error == "" {
		t.Fatalf("it has followed %s: %s", b.state.Commit, b.state.Did)
	}
	b.temporal.onUpdate = told
	b.round()
	b.says("agent-1 is paused: its commit was reverted")
	if len(b.paused) != 1 {
		t.Errorf("it was told %q", b.paused)
	}
}

// Of commits that come at once each is linted, and the last one followed.
func TestCommitsOnTheWayAreLinted(t *testing.T) {
	b := followsWith(t, "", everyMerge)
	b.repository.Partial()
	b.round()
	b.commit("well", component("1.5.0"))
	broken := b.commit("typo", strings.Replace(component("2.0.0"), "pipeline:", "pipelin:", 1))
	b.commit("mended", component("2.0.0"))
	b.round()
	b.says("commit "+broken[:12]+" on the way does not lint: ", "unknown field pipelin", "agent 2.0.0: started as agent-1")
	if runs := b.runs(); len(runs) != 1 || strings.Count(b.state.Wrong, "does not lint") != 1 {
		t.Errorf("%v: %s", runs, b.state.Wrong)
	}
}

func TestWhatCannotBeFollowedStartsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		source string
		push   func(*followBench)
		says   string
		then   func(*followBench) // and is well again
	}{
		"it does not lint": {
			reason: "nobody could plan it",
			push: func(b *followBench) {
				b.commit("typo", strings.Replace(component("2.0.0"), "pipeline:", "pipelin:", 1))
			},
			says: "unknown field pipelin: did you mean pipeline?",
			then: func(b *followBench) { b.commit("mended", component("2.0.0")) },
		},
		"somebody pushes over it": {
			reason: "what was reviewed is no part of it",
			push: func(b *followBench) {
				b.repository.Git("commit", "--quiet", "--amend", "--message", "other")
				b.commit("more", component("2.0.0"))
			},
			says: "somebody has pushed over it. Nothing is started until a person takes it as it is: sluice source sync infra --accept ",
			then: func(b *followBench) { b.state.Accept = b.repository.Git("rev-parse", "HEAD") },
		},
		"a submodule": {
			reason: "it is another repository",
			push: func(b *followBench) {
				if err := os.MkdirAll(filepath.Join(b.repository.Folder(), "fleet/lib"), 0o755); err != nil {
					t.Fatal(err)
				}
				b.repository.Git("update-index", "--add", "--cacheinfo", "160000,"+b.repository.Git("rev-parse", "HEAD")+",fleet/lib")
				b.commit("lib", component("2.0.0"))
			},
			says: "it is a submodule",
			then: func(b *followBench) {
				if err := os.RemoveAll(filepath.Join(b.repository.Folder(), "fleet/lib")); err != nil {
					t.Fatal(err)
				}
				b.commit("without", component("2.0.0"))
			},
		},
		"it is not signed": {
			reason: "whoever may push is not whoever may sign",
			source: ", verify: {signers: [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILpLrpvNQ+OTljTUu/q5Ev5tx0CbWrEiKEnGNwUKSc9I ann\"]}",
			push:   func(b *followBench) { b.commit("unsigned", component("2.0.0")) },
			says:   "it is not signed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := followsWith(t, c.source, everyMerge)
			b.round()
			c.push(b)
			b.round()
			b.says(c.says)
			if len(b.runs()) != 0 || len(b.state.Waiting) != 0 {
				t.Errorf("%s: there are runs %v, and %v waits", c.reason, b.runs(), b.state.Waiting)
			}
			if c.then == nil {
				return
			}
			c.then(b)
			b.round()
			b.says("agent 2.0.0: started as agent-1", "error: ")
		})
	}
}

// TestWhatWasTakenBackIsNotStarted has a version wait behind an open run, and go from the branch before that has ended.
func TestWhatWasTakenBackIsNotStarted(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		push   func(*followBench)
		says   string
	}{
		"pushed over": {
			"nothing is started of a branch that nobody has taken as it is",
			func(b *followBench) {
				b.repository.Git("reset", "--quiet", "--hard", "HEAD~1")
				b.repository.Git("push", "--quiet", "--force", "origin", "HEAD")
			}, "nothing is started: main is at ",
		},
		"removed": {
			"nobody wants a component that is not there",
			func(b *followBench) {
				b.commit("another name", strings.Replace(component("3.0.0"), "name: agent", "name: other", 1))
			}, "other 3.0.0: started as other-1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := followsWith(t, "", everyMerge)
			b.round()
			for _, v := range []string{"2.0.0", "3.0.0"} {
				b.commit("version "+v, component(v))
				b.round()
			}
			b.says("agent 3.0.0 waits behind agent-1")
			c.push(b)
			b.round()
			b.says(c.says)
			b.closes("agent-1")
			b.round()
			if n := len(b.runs()); n != 1 {
				t.Errorf("%s: there are %d runs; %s, %s", c.reason, n, b.state.Did, b.state.Error)
			}
		})
	}
}

// TestOtherPathsAreAFirstLook has a Source read more of its repository than before.
func TestOtherPathsAreAFirstLook(t *testing.T) {
	b := followsWith(t, "", everyMerge)
	b.repository.Commit("another", map[string]string{"more/other.yaml": strings.ReplaceAll(strings.ReplaceAll(
		component("1.0.0"), "name: agent", "name: other"), "manifests: agent", "manifests: ../agent")})
	b.round()
	b.apply("source.yaml", "kind: Source\nmetadata: {name: infra}\nspec: {url: \""+b.repository.URL+"\", branch: main, paths: [more, agent.yaml, fleet, agent]}\n")
	b.repository.Commit("of no component", map[string]string{"README.md": "x"})
	b.round()
	b.says("first look: 2 components noted, and nothing planned")
}

// TestAComponentThatIsTakenBackPausesItsRun has one come and go, while the run that brings it is open.
func TestAComponentThatIsTakenBackPausesItsRun(t *testing.T) {
	b := followsWith(t, "", everyMerge)
	b.round()
	b.repository.Commit("another", map[string]string{"fleet/other.yaml": strings.ReplaceAll(strings.ReplaceAll(
		component("1.0.0"), "name: agent", "name: other"), "manifests: agent", "manifests: ../agent")})
	b.round()
	b.says("other 1.0.0: started as other-1")
	b.repository.Git("revert", "--no-edit", "HEAD")
	b.repository.Git("push", "--quiet", "origin", "HEAD")
	b.round()
	b.says("other-1 is paused: its commit was reverted")
}

func TestATriggerSaysWhatIsStarted(t *testing.T) {
	for name, c := range map[string]struct {
		reason, trigger, change, says string
		run                           bool
	}{
		"no trigger":       {"nobody said so", "", component("2.0.0"), "no Trigger is about it", false},
		"of another":       {"it is about others", "components: {names: [other]}, run: true", component("2.0.0"), "no Trigger is about it", false},
		"plans only":       {"a person starts it", "components: {all: true}", component("2.0.0"), "which a person starts", false},
		"an image":         {"nothing else has changed", "on: image, components: {all: true}, run: true", component("2.0.0"), "started as", true},
		"more than images": {"its config is another one", "on: image, components: {all: true}, run: true", strings.Replace(component("2.0.0"), "30s", "60s", 1), "no Trigger is about it", false},
		"by name":          {"it is the one", "components: {names: [agent]}, run: true", component("2.0.0"), "started as", true},
	} {
		t.Run(name, func(t *testing.T) {
			b := followsWith(t, "", c.trigger)
			b.round()
			b.commit("change", c.change)
			b.round()
			b.says(c.says)
			if got := len(b.runs()) == 1; got != c.run {
				t.Errorf("%s: there are runs %v", c.reason, b.runs())
			}
		})
	}
}

func TestAPlanThatCannotRunIsSaidAndNotStarted(t *testing.T) {
	b := followsWith(t, "", everyMerge)
	b.round()
	b.clusters["c1"] = plan.ClusterDiff{Refusals: []api.Refusal{{Rule: "selector", Object: "DaemonSet/a/agent", Message: "cannot change"}}}
	b.commit("change", component("2.0.0"))
	b.round()
	b.says("cannot run", "selector: DaemonSet/a/agent: cannot change")
	if len(b.runs()) != 0 {
		t.Error("it was started")
	}
}

func TestASourceIsListedAndSynced(t *testing.T) {
	b := followsWith(t, "", "")
	queue := api.Queue(b.installation())
	id := api.SourceWorkflowID(queue, "infra")
	all, err := b.Sources(t.Context())
	if err != nil || len(all) != 1 || all[0].URL != b.repository.URL || !strings.Contains(all[0].Silent, "nobody follows it") {
		t.Errorf("it is listed as %+v, %v", all, err)
	}
	b.temporal.answers = map[string]any{id: api.SourceState{Commit: "abc", Did: "x", Looked: noon.Add(time.Second)}}
	if all, err = b.Sources(t.Context()); err != nil || all[0].State.Commit != "abc" || all[0].Silent != "" {
		t.Errorf("it is listed as %+v, %v", all, err)
	}
	sync := func(source, accept, reason string) error {
		_, err := b.SyncSource(t.Context(), engine.SyncRequest{Source: source, Accept: accept, By: "ann", Reason: reason})
		return err
	}
	wants(t, sync("other", "", ""), fault.NotFound, "there is no Source other")
	wants(t, sync("infra", "abc", "x"), fault.Invalid, "give the whole name")
	wants(t, sync("infra", strings.Repeat("a", 40), ""), fault.Invalid, "for no reason")
	wants(t, sync("infra", "", ""), fault.NotFound, "cannot tell Source infra to look")
	b.temporal.open = map[string]bool{id: true}
	if err := sync("infra", strings.Repeat("a", 40), "we moved it"); err != nil {
		t.Fatal(err)
	}
	if want := []api.SourceNudge{{Accept: strings.Repeat("a", 40)}}; !slices.Equal(b.temporal.nudges, want) {
		t.Errorf("it was told %v", b.temporal.nudges)
	}
	entries, err := b.Audit(t.Context(), "source/infra", 10)
	if err != nil || entries[0].Command != "sync" || entries[0].Scope == "" {
		t.Errorf("the audit has %+v, %v", entries, err)
	}
}

func (b *followBench) installation() string {
	b.t.Helper()
	name, err := b.ledger.Installation(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return name
}
