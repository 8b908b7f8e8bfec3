// Package apiserver is the case of an API server: it reads, lists, writes, and tells who watches. Once, or without a gap.
package apiserver

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"sluice.dev/sluice/probes/internal/param"
	"sluice.dev/sluice/probes/internal/site"
	"sluice.dev/sluice/probes/internal/trial"
)

// The names of the case, and of the one that never ends.
const (
	Name         = "api-server"
	NameResident = "api-server-resident"
)

// Timeout is how long a run may take where nobody says.
const Timeout = 30 * time.Second

// listMost is how many objects a list asks for.
const listMost = 50

// server is one run.
type server struct {
	*site.Site
	trial  *trial.Trial
	within time.Duration // for each step
}

// Run goes through what people ask of an API server. That it cannot be reached is a fault: it is what the case is about. That it does not
// know the case's account is none.
func Run(ctx context.Context, t *trial.Trial, getenv func(string) string) error {
	r := param.New(getenv)
	s := &server{trial: t, within: r.Duration("WITHIN", 5*time.Second, time.Minute)}
	if err := r.Err(); err != nil {
		return err
	}
	var err error
	if s.Site, err = site.Open(Name, Timeout, getenv); err != nil {
		return err
	}
	s.Blame = site.BlameServer
	err = s.through(ctx)
	if left := s.Clear(site.ConfigMaps); left != nil {
		t.Text("left", left.Error())
	}
	return err
}

func (s *server) through(ctx context.Context) error {
	name := s.Name("")
	maps := s.Client.CoreV1().ConfigMaps(s.Namespace)
	var made *corev1.ConfigMap
	step := func(name, doing string, do func(context.Context) error) error {
		return s.trial.Step(name, func() error {
			ctx, cancel := context.WithTimeout(ctx, s.within)
			defer cancel()
			return site.BlameServer(do(ctx), doing)
		})
	}
	for _, next := range []struct {
		name, doing string
		do          func(context.Context) error
	}{
		{"version", "ask for the version", func(ctx context.Context) error {
			text, err := s.Client.CoreV1().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
			if err == nil && len(text) == 0 {
				return trial.Fault("NoVersion", "the API server says nothing of its version")
			}
			return err
		}},
		{"sweep", "sweep what earlier runs left", func(ctx context.Context) error { return s.Sweep(ctx, site.ConfigMaps) }},
		{"list", "list ConfigMaps", func(ctx context.Context) error {
			_, err := maps.List(ctx, metav1.ListOptions{Limit: listMost})
			return err
		}},
		{"create", "create a ConfigMap", func(ctx context.Context) (err error) {
			made, err = maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: s.Made(name), Data: map[string]string{"seen": "1"}}, metav1.CreateOptions{})
			return err
		}},
		{"read", "read a ConfigMap", func(ctx context.Context) error {
			got, err := maps.Get(ctx, name, metav1.GetOptions{})
			if err == nil && got.UID != made.UID {
				return trial.Fault("WrongRead", "what was made is not what is read")
			}
			return err
		}},
		{"watch", "watch a ConfigMap", func(ctx context.Context) error { return s.watched(ctx, made) }},
		{"delete", "delete a ConfigMap", func(ctx context.Context) error {
			return maps.Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &made.UID}})
		}},
	} {
		if err := step(next.name, next.doing, next.do); err != nil {
			return err
		}
	}
	return nil
}

// watched changes an object that is watched. How long it takes from the change's answer to the watch is what controllers wait for.
func (s *server) watched(ctx context.Context, made *corev1.ConfigMap) error {
	maps := s.Client.CoreV1().ConfigMaps(s.Namespace)
	w, err := maps.Watch(ctx, metav1.ListOptions{
		FieldSelector: "metadata.name=" + made.Name, ResourceVersion: made.ResourceVersion,
	})
	if err != nil {
		return err
	}
	defer w.Stop()
	changed, err := maps.Patch(ctx, made.Name, types.MergePatchType, []byte(`{"data": {"seen": "2"}}`), metav1.PatchOptions{})
	if err != nil {
		return err
	}
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return trial.Fault("NoWatch", "the watch was not told of a change in %s", s.within)
		case e, open := <-w.ResultChan():
			if !open {
				return trial.Fault("WatchEnded", "the watch ended before it was told of a change")
			}
			if m, ok := e.Object.(*corev1.ConfigMap); ok && e.Type == watch.Modified && m.ResourceVersion == changed.ResourceVersion {
				s.trial.Took("watch", time.Since(began))
				return nil
			}
		}
	}
}

// Resident reads again and again, a read a round. What it reads comes from the API server's memory: etcd is asked for nothing.
type Resident struct {
	site   *site.Site
	within time.Duration
	slow   time.Duration // above which an answer is a fault; 0: only none is
	err    error
}

// NewResident returns what is run for ever, and how often.
func NewResident(getenv func(string) string) (*Resident, time.Duration) {
	r := param.New(getenv)
	every := r.Duration("EVERY", 250*time.Millisecond, time.Minute)
	s := &Resident{within: r.Duration("WITHIN", 2*time.Second, time.Minute), slow: r.Duration("SLOW", time.Second, time.Minute)}
	if s.err = r.Err(); s.err == nil {
		s.site, s.err = site.Open(NameResident, Timeout, getenv)
	}
	if s.err == nil {
		// A round is a request: the library says how often.
		s.site.Config.QPS = -1
		s.err = s.site.Reopen()
	}
	return s, every
}

// Run is a round.
func (s *Resident) Run(ctx context.Context, t *trial.Trial, _ func(string) string) error {
	if s.err != nil {
		return s.err
	}
	ctx, cancel := context.WithTimeout(ctx, s.within)
	defer cancel()
	began := time.Now()
	// Of resource version 0 the API server knows by itself.
	_, err := s.site.Client.CoreV1().ConfigMaps(s.site.Namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0", Limit: 1})
	took := time.Since(began)
	t.Took("read", took)
	if err != nil {
		return site.BlameServer(err, "read from the API server's memory")
	}
	if s.slow > 0 && took > s.slow {
		return trial.Fault("Slow", "the API server took %s for a read from its memory, more than %s", took.Round(time.Millisecond), s.slow)
	}
	return nil
}
