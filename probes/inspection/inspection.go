// Package inspection is the case that judges nothing: it says how a cluster is set up, so that whoever knows many clusters finds the one
// that is not like the others.
package inspection

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/probes/internal/param"
	"sluice.dev/sluice/probes/internal/site"
	"sluice.dev/sluice/probes/internal/trial"
)

// Name is the case's.
const Name = "inspection"

// Timeout is how long a run may take where nobody says.
const Timeout = time.Minute

// Bounds of a run.
const (
	maxConfigMaps = 20
	maxNodes      = 5000
	page          = 500
	defaultClass  = "storageclass.kubernetes.io/is-default-class"
)

// inspector is one run.
type inspector struct {
	*site.Site
	trial   *trial.Trial
	configs []string // ConfigMaps as namespace/name
}

// Run observes. It has a fault only where an API server fails; what a cluster should be like is not known here.
func Run(ctx context.Context, t *trial.Trial, getenv func(string) string) error {
	r := param.New(getenv)
	i := &inspector{trial: t, configs: r.List("CONFIG_MAPS", maxConfigMaps)}
	if err := r.Err(); err != nil {
		return err
	}
	var err error
	if i.Site, err = site.Open(Name, Timeout, getenv); err != nil {
		return err
	}
	for _, look := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"version", i.version}, {"nodes", i.nodes}, {"webhooks", i.webhooks}, {"flow-control", i.flows}, {"storage", i.storage},
		{"config-maps", i.configMaps},
	} {
		if err := t.Step(look.name, func() error { return site.Blame(look.do(ctx), "look at "+look.name) }); err != nil {
			return err
		}
	}
	return nil
}

func (i *inspector) version(ctx context.Context) error {
	text, err := i.Client.CoreV1().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	if err != nil {
		return err
	}
	var v struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	i.trial.Text("version", v.GitVersion)
	return nil
}

// nodes counts them, those that are ready, and the versions of their kubelets, systems and runtimes.
func (i *inspector) nodes(ctx context.Context) error {
	of := metav1.ListOptions{Limit: page}
	all, ready, cordoned := 0, 0, 0
	kubelets, systems, runtimes := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for {
		list, err := i.Client.CoreV1().Nodes().List(ctx, of)
		if err != nil {
			return err
		}
		for _, n := range list.Items {
			all++
			if slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
				return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
			}) {
				ready++
			}
			if n.Spec.Unschedulable {
				cordoned++
			}
			info := n.Status.NodeInfo
			kubelets[info.KubeletVersion], systems[info.KernelVersion], runtimes[info.ContainerRuntimeVersion] = true, true, true
		}
		if of.Continue = list.Continue; of.Continue == "" || all >= maxNodes {
			break
		}
	}
	i.trial.Flag("nodes.all", of.Continue == "")
	i.trial.Number("nodes", float64(all))
	i.trial.Number("nodes.ready", float64(ready))
	i.trial.Number("nodes.cordoned", float64(cordoned))
	i.trial.Text("nodes.kubelets", words(kubelets))
	i.trial.Text("nodes.kernels", words(systems))
	i.trial.Text("nodes.runtimes", words(runtimes))
	return nil
}

// words are the keys of a set, sorted.
func words(set map[string]bool) string {
	var all []string
	for w := range set {
		all = append(all, w)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// webhooks counts those that stop everything when they are away: they fail closed, and have no selector that leaves anybody out.
func (i *inspector) webhooks(ctx context.Context) error {
	of := metav1.ListOptions{Limit: page}
	validating, err := i.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(ctx, of)
	if err != nil {
		return err
	}
	mutating, err := i.Client.AdmissionregistrationV1().MutatingWebhookConfigurations().List(ctx, of)
	if err != nil {
		return err
	}
	all, strict := 0, 0
	count := func(policy *admissionv1.FailurePolicyType, selectors ...*metav1.LabelSelector) {
		all++
		for _, s := range selectors {
			if s != nil && len(s.MatchLabels)+len(s.MatchExpressions) > 0 {
				return
			}
		}
		if policy == nil || *policy == admissionv1.Fail {
			strict++
		}
	}
	for _, c := range validating.Items {
		for _, w := range c.Webhooks {
			count(w.FailurePolicy, w.NamespaceSelector, w.ObjectSelector)
		}
	}
	for _, c := range mutating.Items {
		for _, w := range c.Webhooks {
			count(w.FailurePolicy, w.NamespaceSelector, w.ObjectSelector)
		}
	}
	i.trial.Number("webhooks", float64(all))
	i.trial.Number("webhooks.strict", float64(strict))
	return nil
}

// flows says how the API server limits those who ask too much.
func (i *inspector) flows(ctx context.Context) error {
	of := metav1.ListOptions{Limit: page}
	schemas, err := i.Client.FlowcontrolV1().FlowSchemas().List(ctx, of)
	if err != nil {
		return err
	}
	levels, err := i.Client.FlowcontrolV1().PriorityLevelConfigurations().List(ctx, of)
	if err != nil {
		return err
	}
	sum := sha256.New()
	for _, s := range schemas.Items {
		if err := json.NewEncoder(sum).Encode([]any{s.Name, s.Spec}); err != nil {
			return err
		}
	}
	for _, l := range levels.Items {
		if err := json.NewEncoder(sum).Encode([]any{l.Name, l.Spec}); err != nil {
			return err
		}
	}
	i.trial.Number("flowSchemas", float64(len(schemas.Items)))
	i.trial.Number("priorityLevels", float64(len(levels.Items)))
	i.trial.Text("flowControl", short(sum.Sum(nil)))
	return nil
}

func short(sum []byte) string { return hex.EncodeToString(sum)[:12] }

func (i *inspector) storage(ctx context.Context) error {
	classes, err := i.Client.StorageV1().StorageClasses().List(ctx, metav1.ListOptions{Limit: page})
	if err != nil {
		return err
	}
	defaults := map[string]bool{}
	for _, c := range classes.Items {
		if c.Annotations[defaultClass] == "true" {
			defaults[c.Name] = true
		}
	}
	i.trial.Number("storageClasses", float64(len(classes.Items)))
	i.trial.Text("storageClasses.default", words(defaults))
	return nil
}

// configMaps says the digest of each, or that it is not there: what should be the same everywhere can be compared, and is not told.
func (i *inspector) configMaps(ctx context.Context) error {
	for _, path := range i.configs {
		namespace, name, ok := strings.Cut(path, "/")
		if !ok {
			return trial.Blind("BadParameter", "CONFIG_MAPS has %q: want namespace/name", path)
		}
		m, err := i.Client.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			i.trial.Text("configMap."+path, "missing")
			continue
		}
		if err != nil {
			return err
		}
		text, err := json.Marshal([]any{m.Data, m.BinaryData}) // maps are sorted
		if err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		i.trial.Text("configMap."+path, short(sum[:]))
	}
	return nil
}
