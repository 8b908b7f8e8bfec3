package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/change"
	"sluice.dev/sluice/internal/check"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/localtest"
	"sluice.dev/sluice/internal/pod"
	"sluice.dev/sluice/internal/podrun"
	"sluice.dev/sluice/internal/probe"
	"sluice.dev/sluice/internal/rights"
	"sluice.dev/sluice/internal/rights/rightstest"
	"sluice.dev/sluice/internal/step"
	"sluice.dev/sluice/internal/workload/goal"
	"sluice.dev/sluice/pipelines"
	"sluice.dev/sluice/pipelines/rule"
	"sluice.dev/sluice/templates"
)

// life is everything that a worker does in a cluster for one component: it is installed, fails and goes back, is changed, and is looked
// at by tasks. Everything is asked for by an account that has some roles and no others.
type life struct {
	*world
	office *office
	work   rights.Work
	c      *kube.Cluster
}

// newLife says what work a life is: in a namespace of the component's name.
func newLife(t *testing.T, o *office, name string) *life {
	t.Helper()
	l := &life{world: &world{T: t, brings: api.Component(name), home: name}, office: o}
	for _, v := range []string{"1", "2", "3", "4"} {
		l.work.Objects = append(l.work.Objects, l.renders(v)...)
	}
	l.work.Steps, l.work.Agent = l.steps(), true
	return l
}

// furnish makes what tasks look at, as the administrator. The namespace is there by then.
func (o *office) furnish(t *testing.T, name string) {
	t.Helper()
	o.create(t, parsed(t, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls", "namespace": %q}}`, name)))
	o.create(t, parsed(t, fmt.Sprintf(`{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "leader", "namespace": %q}}`, name)))
	o.create(t, parsed(t, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "guard", "namespace": %q}, "spec": {"ports": [{"port": 443}]}}`, name)))
	o.create(t, parsed(t, fmt.Sprintf(`{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": %q},
		"webhooks": [{"name": "guard.agent.example", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Ignore",
		"clientConfig": {"service": {"name": "guard", "namespace": %q}},
		"rules": [{"apiGroups": ["nothing.example"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["things"]}]}]}`, name, name)))
}

// version is what a version of the component brings.
func (l *life) version(v string) []string {
	ns := l.home
	carries := func(kind, name, more string) string {
		tag := v
		if v == "2" && name != "web" {
			tag += "-never-ready"
		}
		return fmt.Sprintf(`{"apiVersion": "apps/v1", "kind": %q, "metadata": {"name": %q, "namespace": %q}, "spec": {%s
			"selector": {"matchLabels": {"app": %q}}, "template": {"metadata": {"labels": {"app": %q}}, "spec": {
				"containers": [{"name": "main", "image": "registry.local/%s:%s"}],
				"volumes": [{"name": "c", "configMap": {"name": "config"}}]}}}}`, kind, name, ns, more, name, name, name, tag)
	}
	role := func(name, verbs string) string {
		return fmt.Sprintf(`{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": %q, "namespace": %q},
			"rules": [{"apiGroups": [""], "resources": ["endpoints"], "verbs": [%s]}]}`, name, ns, verbs)
	}
	binding := func(name string) string {
		return fmt.Sprintf(`{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": %q, "namespace": %q,
			"labels": {"version": %q}}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
			"subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": %q}]}`, name, ns, v, ns)
	}
	all := []string{
		fmt.Sprintf(`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config", "namespace": %q}, "data": {"key": "value %s"}}`, ns, v),
		fmt.Sprintf(`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": %q}, "data": {"key": "value %s"}}`, ns, v),
		fmt.Sprintf(`{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "claim", "namespace": %q, "labels": {"version": %q}},
			"spec": {"storageClassName": "slow", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}`, ns, v),
		carries("Deployment", "web", `"replicas": 2,`), carries("DaemonSet", "agent", ""), binding("viewer"),
	}
	if v == "2" { // what goes away again
		return append(all, role("reader", `"get", "list"`), role("more", `"get"`), binding("more"),
			carries("Deployment", "extra", `"replicas": 1,`), carries("DaemonSet", "extra", ""))
	}
	return append(all, role("reader", `"get"`))
}

// renders are the objects of a version, as a plan has them.
func (l *life) renders(v string) (all []*unstructured.Unstructured) {
	l.Helper()
	rendered, err := templates.Render(templates.Input{
		Source: packed(l.T, l.folder(l.version(v))), Kind: templates.Manifests, Component: l.home, Version: v, Namespace: l.home,
		Values: map[string]any{}, KubeVersion: "v1.36.0", APIVersions: []string{"v1"},
	})
	if err != nil {
		l.Fatal(err)
	}
	for _, o := range rendered.Objects {
		all = append(all, o.Unstructured)
	}
	return all
}

// steps are those of tasks that look at the component.
func (l *life) steps() []pipelines.StepKinds {
	hook := pipelines.WebhookRef{Kind: "ValidatingWebhookConfiguration", Name: l.home}
	return []pipelines.StepKinds{
		{Logs: &pipelines.Logs{}},
		{Certificate: &pipelines.Certificate{Secret: &pipelines.SecretRef{Namespace: l.home, Name: "tls"}}},
		{Certificate: &pipelines.Certificate{Webhook: &hook}},
		{Workload: &pipelines.Workload{Ready: new(false), Leader: &pipelines.LeaderElection{Lease: "leader"}}},
		{Workload: &pipelines.Workload{Ready: new(false), Objects: new(true)}},
		{Workload: &pipelines.Workload{Ready: new(false), Webhooks: []pipelines.WebhookRef{hook}}},
		{Job: &pipelines.Job{Image: "registry.local/job:1"}},
		{Job: &pipelines.Job{Image: "registry.local/job:1", Namespace: l.home}},
	}
}

// as has the account of a kubeconfig do the work.
func (l *life) as(kubeconfig string) {
	l.Helper()
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{kubeconfig}})
	l.Cleanup(pool.Close)
	l.works(pool)
	c, err := pool.Cluster(l.Context(), "a")
	if err != nil {
		l.Fatal(err)
	}
	l.c = c
}

// lived does everything. An error is about what an account may not do.
func (l *life) lived() error {
	for _, part := range []func() error{
		l.counted, l.installed, l.nodesSeen, l.looksOfTasks, l.podsOfTasks, l.fallenBack, l.changed, l.pruned,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

func (l *life) of(v string) {
	l.Helper()
	l.planned(v, l.version(v), atOnce)
}

// tried runs an activity, and returns what it may not do as an error; any other ends the test.
func tried[In, Out any](l *life, f func(context.Context, In) (Out, error), in In) (Out, error) {
	l.Helper()
	out, err := attempt(l.world, firstTry, f, in)
	if err != nil && fault.CodeOf(err) != fault.Unauthorized {
		l.Fatal(err)
	}
	return out, err
}

// begun takes the Lease and says what there is to change.
func (l *life) begun() (d step.DiffResult, err error) {
	l.Helper()
	if l.ref, err = tried(l, l.acts.Acquire, l.ref); err != nil {
		return d, err
	}
	if d, err = tried(l, l.acts.Diff, step.DiffRequest{Ref: l.ref}); err != nil {
		return d, err
	}
	for _, r := range d.Cluster.Refusals {
		if strings.Contains(r.Message, "forbidden") {
			return d, errors.New(r.Message)
		}
		l.Fatalf("refused: %+v", r)
	}
	_, err = tried(l, l.acts.Apply, step.ApplyRequest{Ref: l.ref, Changes: d.Changes})
	return d, err
}

// rolled does all that a unit does.
func (l *life) rolled(v string) error {
	l.Helper()
	l.of(v)
	d, err := l.begun()
	for _, load := range d.Cluster.Workloads {
		if err != nil {
			return err
		}
		err = l.moved(d, load.Object)
	}
	if err != nil {
		return err
	}
	if _, err := tried(l, l.acts.Apply, step.ApplyRequest{Ref: l.ref, Changes: d.Changes, After: true}); err != nil {
		return err
	}
	_, err = tried(l, l.acts.Release, step.ReleaseRequest{Ref: l.ref, Outcome: api.PhaseSucceeded, Changes: d.Changes})
	return err
}

func (l *life) moved(d step.DiffResult, object string) error {
	state, err := tried(l, l.acts.Prepare, l.about(d, object, goal.State{}))
	if err != nil {
		return err
	}
	if _, err := tried(l, l.acts.Advance, l.batch(d, object, state, 1, pipelines.Percent(100))); err != nil {
		return err
	}
	_, err = tried(l, l.acts.Finish, l.about(d, object, state))
	return err
}

// counted is what an agent tells of its cluster.
func (l *life) counted() error {
	_, err := l.c.Census(l.Context())
	return err
}

func (l *life) installed() error { return l.rolled("1") }
func (l *life) changed() error   { return l.rolled("3") }

// fallenBack brings a version whose pods do not get ready, sees what is wrong with them, and takes it back.
func (l *life) fallenBack() error {
	l.of("2")
	d, err := l.begun()
	if err != nil {
		return err
	}
	l.states = map[string]goal.State{}
	for _, load := range d.Cluster.Workloads {
		if l.states[load.Object], err = tried(l, l.acts.Prepare, l.about(d, load.Object, goal.State{})); err != nil {
			return err
		}
		req := l.batch(d, load.Object, l.states[load.Object], 1, pipelines.Count(1))
		req.Deadline = time.Second
		seen, err := tried(l, l.acts.Advance, req)
		if err != nil {
			return err
		}
		if seen.Stalled != (load.Object != "Deployment/"+l.home+"/web") {
			l.Fatalf("%s has stalled: %t", load.Object, seen.Stalled)
		}
		if err := l.warned(req, seen.Facts.Batch.Pods); err != nil {
			return err
		}
	}
	if _, err := tried(l, l.acts.Unapply, step.ApplyRequest{Ref: l.ref, Changes: d.Changes, After: true}); err != nil {
		return err
	}
	for _, load := range slices.Backward(d.Cluster.Workloads) {
		req := l.batch(d, load.Object, l.states[load.Object], 1, pipelines.Percent(100))
		if _, err := tried(l, l.acts.Revert, req); err != nil {
			return err
		}
		about := l.about(d, load.Object, l.states[load.Object])
		about.Revert = true
		if _, err := tried(l, l.acts.Finish, about); err != nil {
			return err
		}
	}
	if _, err := tried(l, l.acts.Unapply, step.ApplyRequest{Ref: l.ref, Changes: d.Changes}); err != nil {
		return err
	}
	_, err = tried(l, l.acts.Release, step.ReleaseRequest{Ref: l.ref, Outcome: api.PhaseRolledBack, Changes: d.Changes})
	return err
}

// warned has the cluster warn of a pod, and wants to hear of it.
func (l *life) warned(req step.AdvanceRequest, pods []string) error {
	if len(pods) == 0 {
		return nil
	}
	p, err := l.office.client.CoreV1().Pods(l.home).Get(l.Context(), pods[0], metav1.GetOptions{})
	if err != nil {
		l.Fatal(err)
	}
	_, err = l.office.client.CoreV1().Events(l.home).Create(l.Context(), &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: p.Name + ".warned", Namespace: l.home},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: l.home, Name: p.Name, UID: p.UID},
		Type:           corev1.EventTypeWarning, Reason: "Unhealthy", Message: "a test", Count: 1,
		FirstTimestamp: metav1.Now(), LastTimestamp: metav1.Now(),
	}, metav1.CreateOptions{})
	if err != nil {
		l.Fatal(err)
	}
	for end := time.Now().Add(6 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		seen, err := tried(l, l.acts.Look, req)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(seen.Facts.Workload.Events, func(e rule.Event) bool { return e.Reason == "Unhealthy" }) {
			return nil
		}
	}
	return errors.New("the warning about a pod was not seen")
}

// pruned looks for configuration that nothing needs.
func (l *life) pruned() error {
	l.of("4")
	d, err := l.begun()
	if err != nil {
		return err
	}
	if len(d.Left) == 0 {
		l.Fatal("nothing is left of earlier versions")
	}
	_, err = tried(l, l.acts.Prune, step.PruneRequest{Ref: l.ref, Objects: d.Left})
	return err
}

func (l *life) nodesSeen() error {
	stored, err := tried(l, l.acts.SeeNodes, step.NodesRequest{Ref: l.ref, Failed: time.Now()})
	if err != nil {
		return err
	}
	var seen api.NodesSeen
	if err := change.Load(l.Context(), l.acts.Ledger, stored, &seen); err != nil {
		l.Fatal(err)
	}
	if seen.Unseen != "" {
		return errors.New(seen.Unseen)
	}
	return nil
}

// looksOfTasks has steps look at the component that do not run in pods.
func (l *life) looksOfTasks() error {
	l.office.furnish(l.T, l.home)
	pods, err := l.office.client.CoreV1().Pods(l.home).List(l.Context(), metav1.ListOptions{LabelSelector: "app=web"})
	if err != nil || len(pods.Items) == 0 {
		l.Fatalf("there are no pods: %v", err)
	}
	place := &check.Place{
		Cluster: "a", API: l.c,
		Pods: func(context.Context) (check.Pods, error) { return check.Pods{New: []*corev1.Pod{&pods.Items[0]}}, nil },
		Others: func(ctx context.Context) ([]check.Other, error) {
			claim, err := l.c.Get(ctx, corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"), l.home, "claim")
			return []check.Other{{Name: "PersistentVolumeClaim/claim", Live: claim}}, err
		},
	}
	prober := probe.New(clock.RealClock{}, nil)
	sources := check.NewProbes(prober, clock.RealClock{}, "")
	sources["logs"], sources["workload"] = check.NewLogs(clock.RealClock{}), check.NewWorkload(clock.RealClock{}, prober)
	facts := rule.Facts{}
	facts.Workload.Namespace = l.home
	for _, kinds := range l.work.Steps {
		source := sources[kinds.Kind()]
		if source == nil {
			continue
		}
		f := source.Ask(l.Context(), check.Question{Step: pipelines.ResolvedStep{Name: "look", StepKinds: kinds}, Facts: facts, Place: place})
		if strings.Contains(f.Message, "forbidden") {
			return errors.New(f.Message)
		}
	}
	return nil
}

// podsOfTasks runs pods of tasks, and finds one that is another's.
func (l *life) podsOfTasks() error {
	runner := &podrun.Runner{Clock: clock.RealClock{}}
	for _, namespace := range []string{kube.LeaseNamespace, l.home} {
		for _, key := range []string{l.home, l.home + " and another's"} {
			want, err := pod.Make(pod.Spec{
				Purpose: "job", Key: key, Namespace: namespace, Image: "registry.local/job:1", NodeSelector: map[string]string{"no": "where"},
				Profile: pod.Restricted, Within: time.Minute, About: map[string]string{pod.LabelRun: l.ref.Run},
			})
			if err != nil {
				l.Fatal(err)
			}
			if key != l.home {
				theirs := want.DeepCopy()
				theirs.Labels, theirs.Annotations = nil, nil
				if _, err := l.office.client.CoreV1().Pods(namespace).Create(l.Context(), theirs, metav1.CreateOptions{}); err != nil {
					l.Fatal(err)
				}
			}
			_, err = runner.Run(l.Context(), l.c, want, 50*time.Millisecond)
			if code := fault.CodeOf(err); code == fault.Unauthorized || code == fault.Unreachable {
				return err
			}
			if (key != l.home) != (fault.CodeOf(err) == fault.Conflict) {
				l.Fatalf("pod %s/%s: %v", namespace, want.Name, err)
			}
		}
		if err := podrun.RemoveOf(l.Context(), l.c, namespace, "job", l.ref.Run); err != nil {
			return err
		}
	}
	return nil
}

func TestTheRightsThatArePrintedAreThoseThatAreUsed(t *testing.T) {
	stack := localtest.Start(t, []string{"a"}, 3)
	o := openOffice(t, stack.Kubeconfig)
	o.create(t, parsed(t, fmt.Sprintf(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": %q}}`, kube.LeaseNamespace)))
	o.cordons(t)
	// One after the other would take minutes: each waits for pods most of the time.
	t.Run("everywhere", func(t *testing.T) {
		t.Parallel()
		l := newLife(t, o, "everywhere")
		roles := l.work.Roles(rights.Options{})
		token := o.hires(t, l.home, roles)
		rightstest.Settled(t, o.config, token, rightstest.GrantsOf(roles))
		clerk, kubeconfig := rightstest.Seat(t, o.config, token, true)
		l.as(kubeconfig)
		if err := l.lived(); err != nil {
			t.Fatal(err)
		}
		if refused := clerk.Refused(); len(refused) > 0 {
			t.Errorf("it was refused %v", refused)
		}
		o.allUsed(t, clerk, roles)
	})
	t.Run("namespaced", func(t *testing.T) {
		t.Parallel()
		l := newLife(t, o, "namespaced")
		roles := l.work.Roles(rights.Options{Apart: true})
		token := o.hires(t, l.home, roles)
		rightstest.Settled(t, o.config, token, rightstest.GrantsOf(roles))
		clerk, kubeconfig := rightstest.Seat(t, o.config, token, false)
		l.as(kubeconfig)
		if err := l.lived(); err != nil {
			t.Fatal(err)
		}
		if refused := clerk.Refused(); len(refused) > 0 {
			t.Errorf("it was refused %v", refused)
		}
		for _, g := range clerk.Taken() {
			if given := slices.ContainsFunc(rightstest.GrantsOf(roles), func(of rightstest.Grant) bool { return of.Gives(g) }); !given {
				t.Errorf("it asked for %s, which no role gives", g)
			}
		}
	})
	rules := newLife(t, o, "rules").work.Roles(rights.Options{Apart: true})
	n := 0
	for _, role := range rules {
		for i, missing := range role.Rules {
			name := fmt.Sprintf("without-%d", n)
			n++
			t.Run(fmt.Sprintf("without %s %s", strings.Join(missing.Resources, ","), role.Namespace), func(t *testing.T) {
				turns.Take(t)
				l := newLife(t, o, name)
				roles := l.work.Roles(rights.Options{Apart: true})
				without := slices.Clone(roles)
				for at, r := range roles {
					if r.Namespace == strings.Replace(role.Namespace, "rules", name, 1) {
						without[at].Rules = slices.Delete(slices.Clone(r.Rules), i, i+1)
					}
				}
				token := o.hires(t, name, without)
				rightstest.Settled(t, o.config, token, rightstest.GrantsOf(without))
				_, kubeconfig := rightstest.Seat(t, o.config, token, false)
				l.as(kubeconfig)
				err := l.lived()
				switch {
				case err == nil:
					t.Errorf("everything went well without it: nobody needs %+v", missing)
				case !strings.Contains(err.Error(), "forbidden") && missing.Resources[0] != "events":
					t.Errorf("something else went wrong: %v", err)
				}
			})
		}
	}
}

// allUsed wants each verb of each rule used, but for rights that are only handed on.
func (o *office) allUsed(t *testing.T, c *rightstest.Clerk, roles []rights.Role) {
	t.Helper()
	taken := c.Taken()
	for _, role := range roles {
		for _, r := range role.Rules {
			only := rights.Role{Namespace: role.Namespace, Rules: []rights.Rule{r}}
			for _, g := range rightstest.GrantsOf([]rights.Role{only}) {
				handed := g.Verb == "bind" || g.Resource == "endpoints"
				if !handed && !slices.ContainsFunc(taken, g.Gives) {
					t.Errorf("nobody asked for %s: %s", g, strings.Join(r.Why, "; "))
				}
			}
		}
	}
}

// cordons makes a node unschedulable: who did so is asked about.
func (o *office) cordons(t *testing.T) {
	t.Helper()
	nodes, err := o.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) == 0 {
		t.Fatalf("there are no nodes: %v", err)
	}
	_, err = o.client.CoreV1().Nodes().Patch(t.Context(), nodes.Items[0].Name, types.MergePatchType, []byte(`{"spec": {"unschedulable": true}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}
