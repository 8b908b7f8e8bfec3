package probing

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/robfig/cron/v3"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines/calendar"
)

// Slots are the times at which a case is due in a cluster. Each cluster and case has its own shift, so that a fleet does not do the same
// thing in the same second; it is the same after a restart.
type Slots struct {
	every time.Duration
	cron  cron.Schedule
	zone  *time.Location
	shift time.Duration
}

// MinEvery is the shortest interval of a schedule.
const MinEvery = time.Second

// NewSlots reads a schedule; nil where a case never runs by itself.
func NewSlots(s Schedule, cluster, probeCase string) (*Slots, error) {
	every, jitter := s.Every.Duration, s.Jitter.Duration
	switch {
	case every == 0 && s.Cron == "":
		return nil, nil
	case every != 0 && s.Cron != "":
		return nil, fault.New(fault.Invalid, "cannot schedule case %s: it has an interval and a cron expression", probeCase)
	case jitter < 0:
		return nil, fault.New(fault.Invalid, "cannot schedule case %s: its jitter is below 0", probeCase)
	case s.Cron != "":
		zone, err := calendar.Zone(cmp.Or(s.Zone, "UTC"))
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "cannot schedule case %s", probeCase)
		}
		parsed, err := cron.ParseStandard(s.Cron)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "cannot schedule case %s at %q", probeCase, s.Cron)
		}
		return &Slots{cron: parsed, zone: zone, shift: shift(jitter, cluster, probeCase)}, nil
	case every < MinEvery:
		return nil, fault.New(fault.Invalid, "cannot schedule case %s every %s: the shortest is %s", probeCase, every, MinEvery)
	}
	if jitter == 0 || jitter > every {
		jitter = every
	}
	return &Slots{every: every, shift: shift(jitter, cluster, probeCase)}, nil
}

// shift is the place of a cluster and a case in a span.
func shift(span time.Duration, parts ...string) time.Duration {
	if span <= 0 {
		return 0
	}
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return time.Duration(binary.BigEndian.Uint64(h.Sum(nil)) % uint64(span)).Truncate(time.Millisecond)
}

// Next is the first slot after a time. It is the zero time where there is none.
func (s *Slots) Next(after time.Time) time.Time {
	if s.cron != nil {
		next := s.cron.Next(after.Add(-s.shift).In(s.zone))
		if next.IsZero() {
			return time.Time{}
		}
		return next.Add(s.shift).UTC()
	}
	return s.ofInterval(s.number(after) + 1)
}

// number is which slot of an interval is the last one that is not after a time.
func (s *Slots) number(at time.Time) int64 {
	past := at.UnixNano() - int64(s.shift)
	n := past / int64(s.every)
	if past < 0 && past%int64(s.every) != 0 {
		n--
	}
	return n
}

func (s *Slots) ofInterval(n int64) time.Time {
	return time.Unix(0, n*int64(s.every)+int64(s.shift)).UTC()
}

// Due is the last slot after one time and not after another, and how many before it are in between. It is the zero time where none is.
func (s *Slots) Due(since, now time.Time) (slot time.Time, before int64) {
	if s.cron == nil {
		first, last := s.number(since)+1, s.number(now)
		if last < first {
			return time.Time{}, 0
		}
		return s.ofInterval(last), last - first
	}
	for range maxCounted {
		next := s.Next(since)
		if next.IsZero() || next.After(now) {
			break
		}
		if !slot.IsZero() {
			before++
		}
		slot, since = next, next
	}
	return slot, before
}

// maxCounted bounds how many slots of a cron expression are counted after a long time in which nobody did.
const maxCounted = 10_000

// Late is for how long after a slot its run may still begin; what is later is missed, and left out.
func (s *Slots) Late() time.Duration {
	if s.every > 0 {
		return min(max(s.every/2, MinEvery), time.Minute)
	}
	return time.Minute
}
