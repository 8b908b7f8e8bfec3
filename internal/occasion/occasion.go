// Package occasion watches a cluster for changes that probes answer to: nodes that are new, were rebooted or have another condition;
// workloads with another revision, and the nodes to which it has come; parts of the control plane that were restarted. It goes by the state
// of objects and never by Events, which get lost when there are many. It keeps a few words of each object, and of pods only those that it
// needs. What it tells has a key made of the object's own state: told again after a restart it is the same.
package occasion

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probing"
)

// Watcher tells of changes in clusters.
type Watcher struct {
	// Happened is told of a change: of one kind and name once at a time, of different ones at the same time. Whatever happens while it
	// works is put together and told afterwards. Its context ends after a while.
	Happened func(context.Context, probing.Event)
	Clock    clock.WithTicker // default the real one
	// Recent is how long ago a change may be that nobody watched, and is told of where an object says when it was; default 10m. Runs have to
	// stay for longer than that, since it is by their names that none of them is made twice.
	Recent time.Duration
}

// DefaultRecent is how far a watcher looks back when it begins.
const DefaultRecent = 10 * time.Minute

// Add has the changes of a cluster told, for as long as its manager runs.
func Add(cluster string, m manager.Manager, happened func(context.Context, probing.Event)) error {
	return Watcher{Happened: happened}.Add(cluster, m)
}

// Add has the changes of a cluster told, for as long as its manager runs.
func (w Watcher) Add(cluster string, m manager.Manager) error {
	w.Recent = cmp.Or(w.Recent, DefaultRecent)
	if w.Clock == nil {
		w.Clock = clock.RealClock{}
	}
	v := &view{
		Watcher: w, manager: m, direct: m.GetAPIReader(),
		logger: slog.New(logr.ToSlogHandler(m.GetLogger())).With("controller", "occasion"),
	}
	v.bell = newBell(w.Happened, w.Clock, v.logger)
	if err := v.open(); err != nil {
		return fault.Wrap(fault.CodeOf(err), err, "cannot watch cluster %s for changes", cluster)
	}
	return fault.Wrap(fault.Internal, m.Add(v), "cannot watch cluster %s for changes", cluster)
}

// view is what is seen of one cluster.
type view struct {
	Watcher
	manager manager.Manager
	direct  client.Reader // asks the API server
	cache   cache.Cache   // of its own, since it keeps a few words of each object
	logger  *slog.Logger
	bell    *bell
	began   time.Time
	loops   []*loop
	parts   *parts
	nodes   *nodes
	moves   *moves
}

// Where the parts of a control plane are that run as static pods.
const (
	partsNamespace = "kube-system"
	partsTier      = "tier"
	partsTierValue = "control-plane"
	partsName      = "component"
)

// open makes the cache and what goes by it; nothing runs yet.
func (v *view) open() error {
	shared := true // nobody changes what it has
	var err error
	v.cache, err = cache.New(v.manager.GetConfig(), cache.Options{
		HTTPClient: v.manager.GetHTTPClient(), Scheme: v.manager.GetScheme(), Mapper: v.manager.GetRESTMapper(),
		DefaultUnsafeDisableDeepCopy: &shared,
		DefaultWatchErrorHandler:     v.unwatched,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Node{}:               {Transform: stripNode},
			&appsv1.Deployment{}:         {Transform: stripWorkload},
			&appsv1.DaemonSet{}:          {Transform: stripWorkload},
			&appsv1.StatefulSet{}:        {Transform: stripWorkload},
			&appsv1.ControllerRevision{}: {Transform: stripWorkload},
			&corev1.Pod{}: {
				Transform: stripPod,
				Namespaces: map[string]cache.Config{partsNamespace: {
					LabelSelector: labels.SelectorFromSet(labels.Set{partsTier: partsTierValue}),
				}},
			},
		},
	})
	if err != nil {
		return fault.Wrap(fault.Unreachable, err, "cannot keep what is seen")
	}
	v.nodes, v.parts, v.moves = newNodes(v), newParts(v), newMoves(v)
	ctx := context.Background() // nothing is waited for
	if err := v.cache.IndexField(ctx, &appsv1.ControllerRevision{}, ownerField, ownerOf); err != nil {
		return fault.Wrap(fault.Unreachable, err, "cannot go by the owners of revisions")
	}
	for _, one := range []struct {
		of   client.Object
		in   *loop
		refs func(client.Object) (ref, types.UID)
	}{
		{&corev1.Node{}, v.nodes.loop, itself("Node")},
		{&corev1.Pod{}, v.parts.loop, itself("Pod")},
		{&appsv1.Deployment{}, v.moves.loop, itself(deployment)},
		{&appsv1.DaemonSet{}, v.moves.loop, itself(daemonSet)},
		{&appsv1.StatefulSet{}, v.moves.loop, itself(statefulSet)},
		{&appsv1.ControllerRevision{}, v.moves.loop, itsOwner},
	} {
		informer, err := v.cache.GetInformer(ctx, one.of, cache.BlockUntilSynced(false))
		if err != nil {
			return fault.Wrap(fault.Unreachable, err, "cannot watch %T", one.of)
		}
		if err := one.in.hear(informer, one.refs); err != nil {
			return fault.Wrap(fault.Internal, err, "cannot watch %T", one.of)
		}
	}
	v.loops = []*loop{v.nodes.loop, v.parts.loop, v.moves.loop}
	return nil
}

// Start implements manager.Runnable: it watches until ctx ends. What cannot be watched holds up nothing that can.
func (v *view) Start(ctx context.Context) error {
	v.began = v.Clock.Now()
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return v.cache.Start(ctx) })
	all.Go(func() error { return v.bell.run(ctx) })
	for _, l := range v.loops {
		all.Go(func() error { return l.run(ctx) })
	}
	err := all.Wait()
	v.moves.wait()
	return err
}

// unwatched says what cannot be watched, whether it is forbidden or away for now. It is tried again by itself.
func (v *view) unwatched(ctx context.Context, r *toolscache.Reflector, err error) {
	if ctx.Err() == nil {
		v.logger.Warn("changes are not seen for now", "of", r.TypeDescription(), "error", err)
	}
}

// since is the time from which on changes are told that were made before anybody watched.
func (v *view) since() time.Time { return v.began.Add(-v.Recent) }
