package control_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"sluice.dev/sluice/internal/control"
	"sluice.dev/sluice/internal/kubetest"
)

// seen are the ConfigMaps that a controller has come to, by cluster.
type seen struct {
	mu  sync.Mutex
	all map[string]bool
}

func (s *seen) controller() control.Controller {
	return control.Controller{Name: "looks", Add: func(cluster string, m manager.Manager) error {
		return ctrl.NewControllerManagedBy(m).For(&corev1.ConfigMap{}).Complete(reconcile.Func(
			func(_ context.Context, r reconcile.Request) (reconcile.Result, error) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.all[cluster+" "+r.Name] = true
				return reconcile.Result{}, nil
			}))
	}}
}

func (s *seen) until(t *testing.T, what string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		s.mu.Lock()
		there := s.all[what]
		s.mu.Unlock()
		if there {
			return
		}
	}
	t.Fatalf("no controller has come to %s, but to %v", what, s.all)
}

func configMap(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON([]byte(`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "` + name + `", "namespace": "default"}}`)); err != nil {
		t.Fatal(err)
	}
	return o
}

// Controllers run in the clusters that are wanted, and in no other. One that cannot be reached keeps the others from nothing.
func TestControllersRunWhereTheyAreWanted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := &seen{all: map[string]bool{}}
	a, b := kubetest.New(t), kubetest.New(t)
	for _, server := range []*kubetest.Server{a, b} {
		server.Put(configMap(t, "first"))
	}
	at := func(name string, server *kubetest.Server) control.Cluster {
		return control.Cluster{Name: name, Config: func() (*rest.Config, error) { return server.Config(), nil }}
	}
	away := control.Cluster{Name: "away", Config: func() (*rest.Config, error) { return nil, errors.New("it is away") }}
	k := &control.Keeper{Controllers: []control.Controller{s.controller()}, Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler)}
	k.Want(ctx, []control.Cluster{away, at("a", a)})
	s.until(t, "a first")
	k.Want(ctx, []control.Cluster{away, at("a", a), at("b", b)})
	s.until(t, "b first")
	a.Put(configMap(t, "second"))
	s.until(t, "a second")
	k.Want(ctx, []control.Cluster{at("b", b)})
	time.Sleep(500 * time.Millisecond) // in which the manager of a ends
	a.Put(configMap(t, "third"))
	b.Put(configMap(t, "third"))
	s.until(t, "b third")
	s.mu.Lock()
	if s.all["a third"] {
		t.Error("it goes on in a cluster where it is not wanted any more")
	}
	s.mu.Unlock()
	stop()
	k.Wait()
}

// Nothing is reached for nobody.
func TestWithoutAControllerThereIsNoManager(t *testing.T) {
	k := &control.Keeper{Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler)}
	k.Want(t.Context(), []control.Cluster{{Name: "a", Config: func() (*rest.Config, error) {
		t.Error("it is asked for")
		return nil, errors.New("no")
	}}})
	k.Wait()
}
