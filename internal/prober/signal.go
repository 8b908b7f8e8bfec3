package prober

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/internal/probing"
	"sluice.dev/sluice/internal/rounds"
)

// signals is the name of the definition of signals.
const signals = "healthsignals.sluice.dev"

// signalTimes are those of a signal: whoever reads one that nobody writes any more knows it after five minutes at most.
var signalTimes = probing.SignalTimes{Lasts: 5 * time.Minute, Renewed: 100 * time.Second}

// signalEvery is how often it is looked whether a signal has changed, and so how often it is written at most.
const signalEvery = 5 * time.Second

// signalLater is how often it is tried where the cluster does not have the kind, or does not let it be written.
const signalLater = time.Minute

// keepSignalling writes what the cases of a cluster say together, for others who change it, until ctx ends.
func (s *site) keepSignalling(ctx context.Context) error {
	if !s.seen.WaitForCacheSync(ctx) {
		return nil
	}
	var last signalled
	rounds.Keep(ctx, s.Clock, signalEvery, rounds.Trying(s.log, "a HealthSignal cannot be written", func(ctx context.Context) error {
		if s.Clock.Now().Before(last.again) {
			return nil
		}
		err := s.signal(ctx, &last)
		if apierrors.IsForbidden(err) || missing(err) { // somebody has to mend it first
			last.again = s.Clock.Now().Add(signalLater)
		}
		return err
	}))
	return nil
}

// signalled is what was written last, and when; the zero value where nothing was, or nobody knows.
type signalled struct {
	status probing.SignalStatus
	at     time.Time
	again  time.Time // before which nothing is tried
}

// signal writes a signal where it says another thing than was written, or was written long ago. Where there is no case, and was none, there
// is no signal; where the last has gone it says so once, and is not renewed.
func (s *site) signal(ctx context.Context, last *signalled) error {
	stands, whole, err := s.standsNow(ctx)
	if err != nil || !whole {
		return err
	}
	now := s.Clock.Now()
	want := probing.NewSignalStatus(stands, now, signalTimes)
	if !last.at.IsZero() && want.SaysAs(last.status) && (len(stands) == 0 || now.Before(last.at.Add(signalTimes.Renewed))) {
		return nil
	}
	signal := &probing.Signal{}
	err = s.api.Get(ctx, types.NamespacedName{Name: probing.SignalName}, signal)
	switch {
	case apierrors.IsNotFound(err) && len(stands) == 0:
		*last = signalled{status: want, at: now}
		return nil
	case apierrors.IsNotFound(err):
		signal = &probing.Signal{
			ObjectMeta: metav1.ObjectMeta{Name: probing.SignalName},
			Spec:       probing.SignalSpec{Type: probing.SignalOfCluster, TargetRef: probing.SignalTarget{Name: s.cluster}},
		}
		if err := s.api.Create(ctx, signal); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	signal.Status = want
	if err := s.api.Status().Update(ctx, signal); err != nil {
		return err
	}
	*last = signalled{status: want, at: now}
	return nil
}

// standsNow are the stands of all cases; not whole while one of them is not known yet that the cluster has.
func (s *site) standsNow(ctx context.Context) (all []probing.Stand, whole bool, err error) {
	var configs probing.ConfigList
	if err := s.seen.List(ctx, &configs); err != nil {
		return nil, false, err
	}
	for i := range configs.Items {
		c := &configs.Items[i]
		if c.DeletionTimestamp != nil {
			continue
		}
		s.mu.Lock()
		k, full := s.cases[c.Name], len(s.cases) >= maxCases
		s.mu.Unlock()
		if k == nil && !full {
			return nil, false, nil
		}
		if k == nil || k.name.Namespace != c.Namespace {
			continue // it is not run, and says so
		}
		all = append(all, k.signalled(s.cluster)...)
	}
	return all, true, nil
}

// signalled are the stands of a case. One that should have been looked at and was not is Unknown.
func (k *known) signalled(cluster string) (all []probing.Stand) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, st := range k.stands {
		all = append(all, k.full(st))
	}
	if len(all) == 0 && (fresh(k.config) > 0 || k.problem != "") {
		all = append(all, k.full(k.none(cluster, "")))
	}
	return all
}
