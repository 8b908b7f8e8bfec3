package probe

import (
	"math/bits"
	"sync"
	"time"
)

const (
	octaves = 32 // from a microsecond to more than an hour
	within  = 4  // buckets within an octave
)

// Histogram counts times in a fixed number of buckets, each at most a quarter wider than the one before. Its zero value is empty.
type Histogram struct {
	mu      sync.Mutex
	buckets [octaves * within]uint64
	count   uint64
	max     time.Duration
}

// Observe counts a time.
func (h *Histogram) Observe(d time.Duration) {
	d = max(0, d)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buckets[bucket(d)]++
	h.count++
	h.max = max(h.max, d)
}

// Time counts how long something takes.
func (h *Histogram) Time(do func() error) error {
	began := time.Now()
	defer func() { h.Observe(time.Since(began)) }()
	return do()
}

// merge counts what another one counted.
func (h *Histogram) merge(other *Histogram) {
	other.mu.Lock()
	buckets, count, longest := other.buckets, other.count, other.max
	other.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, n := range buckets {
		h.buckets[i] += n
	}
	h.count += count
	h.max = max(h.max, longest)
}

// Count is how many times were counted.
func (h *Histogram) Count() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

// Quantile is a time that a share of all did not exceed, at most a quarter too long; 0 where there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.quantile(q)
}

func (h *Histogram) quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	want := uint64(max(0, min(1, q))*float64(h.count) + 0.5)
	var seen uint64
	for i, n := range h.buckets {
		if seen += n; seen >= max(1, want) {
			return min(bound(i), h.max)
		}
	}
	return h.max
}

func (h *Histogram) observations() map[string]float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.count == 0 {
		return map[string]float64{"count": 0}
	}
	return map[string]float64{
		"count": float64(h.count), "max": millis(h.max),
		"p50": millis(h.quantile(0.5)), "p90": millis(h.quantile(0.9)), "p99": millis(h.quantile(0.99)),
	}
}

// bucket is where a time belongs: by its highest bit, and the two after it.
func bucket(d time.Duration) int {
	us := uint64(d.Microseconds())
	if us < within {
		return int(us)
	}
	octave := bits.Len64(us) - 1 // at least 2
	return min((octave-1)*within+int(us>>(octave-2))&(within-1), octaves*within-1)
}

// bound is the end of a bucket.
func bound(i int) time.Duration {
	if i < within {
		return time.Duration(i+1) * time.Microsecond
	}
	octave := i/within + 1
	return time.Duration(within+i%within+1) << (octave - 2) * time.Microsecond
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
