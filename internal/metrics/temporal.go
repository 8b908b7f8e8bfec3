package metrics

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// Temporal is where the SDK of Temporal counts.
func (m *Metrics) Temporal() client.MetricsHandler { return handler{all: m.temporal} }

// maxTemporal is how many series the SDK may make. What it would make beyond is dropped, and counted.
const maxTemporal = 3000

// kept are the tags of the SDK that become labels. The namespace, the client's name and whatever the SDK comes to say are left
// out: they say the same in every series, or have no bound.
var kept = []string{
	"activity_type", "cause", "failure_reason", "operation", "poller_type", "status_code", "task_queue", "worker_type", "workflow_type",
}

// dropped is the one family of Sluice's own about the SDK's.
var dropped = family(ofWorker, counter, "sluice_temporal_series_dropped_total",
	"Series of the Temporal SDK that were not made as there were too many.")

// buckets are those of every time that the SDK takes, in seconds.
var buckets = []float64{.005, .02, .1, .5, 2, 10, 60, 600}

// temporal holds what the SDK counts. It gives one name different labels, which a registry checks only where it is told of them
// beforehand: so it tells of none.
type temporal struct {
	mu     sync.Mutex
	vecs   map[string]prometheus.Collector // by name and names of labels
	series map[string]any                  // by name, names of labels and their values
	drops  prometheus.Counter
}

func newTemporal() *temporal {
	drops := prometheus.NewCounter(prometheus.CounterOpts{Name: dropped.Name, Help: dropped.Help})
	return &temporal{vecs: map[string]prometheus.Collector{}, series: map[string]any{}, drops: drops}
}

// Describe implements prometheus.Collector.
func (t *temporal) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (t *temporal) Collect(to chan<- prometheus.Metric) {
	t.mu.Lock()
	vecs := slices.Collect(maps.Values(t.vecs))
	t.mu.Unlock()
	t.drops.Collect(to)
	for _, v := range vecs {
		v.Collect(to)
	}
}

// handler is the SDK's view: with some tags already said.
type handler struct {
	all  *temporal
	tags map[string]string
}

// WithTags implements client.MetricsHandler.
func (h handler) WithTags(tags map[string]string) client.MetricsHandler {
	all := maps.Clone(h.tags)
	if all == nil {
		all = map[string]string{}
	}
	for _, name := range kept {
		if value := tags[name]; value != "" && value != "none" {
			all[name] = value
		}
	}
	return handler{h.all, all}
}

// Counter implements client.MetricsHandler.
func (h handler) Counter(name string) client.MetricsCounter {
	name = strings.TrimSuffix(name, "_total") + "_total"
	c := series(h, name, prometheus.NewCounterVec, prometheus.CounterOpts{Name: name, Help: help}, (*prometheus.CounterVec).With)
	return inc(func(n int64) {
		if c != nil {
			c.Add(float64(n))
		}
	})
}

// Gauge implements client.MetricsHandler.
func (h handler) Gauge(name string) client.MetricsGauge {
	g := series(h, name, prometheus.NewGaugeVec, prometheus.GaugeOpts{Name: name, Help: help}, (*prometheus.GaugeVec).With)
	return update(func(v float64) {
		if g != nil {
			g.Set(v)
		}
	})
}

// Timer implements client.MetricsHandler.
func (h handler) Timer(name string) client.MetricsTimer {
	name += "_seconds"
	o := series(h, name, prometheus.NewHistogramVec, prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets},
		(*prometheus.HistogramVec).With)
	return record(func(d time.Duration) {
		if o != nil {
			o.Observe(d.Seconds())
		}
	})
}

// help is the same for all: a family has one, and the SDK says none.
const help = "Of the Temporal SDK; see its reference of metrics."

// series is what counts under a name and the handler's tags. Its first use makes it; the zero value is returned where there is no
// room.
func series[Opts any, Vec prometheus.Collector, One any](
	h handler, name string, make func(Opts, []string) Vec, opts Opts, with func(Vec, prometheus.Labels) One,
) (one One) {
	labels := slices.Sorted(maps.Keys(h.tags))
	vecKey := name + "\x00" + strings.Join(labels, "\x00")
	key := vecKey
	for _, l := range labels {
		key += "\x00" + h.tags[l]
	}
	h.all.mu.Lock()
	defer h.all.mu.Unlock()
	if known, ok := h.all.series[key].(One); ok {
		return known
	}
	if len(h.all.series) >= maxTemporal {
		h.all.drops.Inc()
		return one
	}
	vec, ok := h.all.vecs[vecKey].(Vec)
	if !ok {
		vec = make(opts, labels)
		h.all.vecs[vecKey] = vec
	}
	one = with(vec, h.tags)
	h.all.series[key] = one
	return one
}

type (
	inc    func(int64)
	update func(float64)
	record func(time.Duration)
)

// Inc implements client.MetricsCounter.
func (f inc) Inc(n int64) { f(n) }

// Update implements client.MetricsGauge.
func (f update) Update(v float64) { f(v) }

// Record implements client.MetricsTimer.
func (f record) Record(d time.Duration) { f(d) }
