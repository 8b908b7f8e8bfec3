package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/probing"
)

// What is counted beside verdicts. How long after its event a run came to a verdict is counted in steps, each of which is a fifth longer
// than the one before.
const (
	countTurned = "turned"
	countMissed = "missed"
	countAfter  = "after-"
	firstStep   = 10 * time.Millisecond
	stepsTwice  = 4 // steps over which a time doubles
	mostSteps   = 96
)

// countOf is what a count is about.
type countOf struct{ probeCase, cluster, hour, what string }

// counts are to be added.
type counts map[countOf]int64

// after counts how long after its event a run came to a verdict.
func (c counts) after(o probing.Outcome) {
	if o.Cause.Kind != probing.ByEvent || o.Cause.At == nil || o.Verdict != api.Passed && o.Verdict != api.Failed {
		return
	}
	took := max(o.Ended.Sub(*o.Cause.At), firstStep)
	step := min(int(math.Ceil(stepsTwice*math.Log2(float64(took)/float64(firstStep)))), mostSteps)
	c[countOf{o.Case, o.Cluster, hourAt(o.Ended), fmt.Sprintf("%s%02d", countAfter, step)}]++
}

// upTo is how long a step is at most.
func upTo(step int) time.Duration {
	return time.Duration(float64(firstStep) * math.Exp2(float64(step)/stepsTwice)).Round(time.Millisecond)
}

func (c counts) save(ctx context.Context, tx handle) error {
	order := slices.SortedFunc(maps.Keys(c), func(a, b countOf) int {
		return cmp.Or(cmp.Compare(a.cluster, b.cluster), cmp.Compare(a.probeCase, b.probeCase), cmp.Compare(a.hour, b.hour),
			cmp.Compare(a.what, b.what))
	})
	for some := range slices.Chunk(order, rowsAtOnce) {
		var args []any
		for _, of := range some {
			args = append(args, of.probeCase, of.cluster, of.hour, of.what, c[of])
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO probe_counts (probe_case, cluster, hour, what, n) VALUES `+values(len(some), 5)+`
			ON CONFLICT (probe_case, cluster, hour, what) DO UPDATE SET n = probe_counts.n + excluded.n`, args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// before is what was known of a case at a target.
type before struct {
	since, last, said string
	missed            int64
}

// news counts what is new in what is said: states that changed, by since when they are, and runs that a case has missed. It comes before
// what is said is written. Said twice it is counted once. Of what nobody has looked at before, nothing has changed.
func (c counts) news(ctx context.Context, tx handle, all []probing.Said) error {
	known, missed, err := knownBefore(ctx, tx, all)
	if err != nil {
		return err
	}
	turn := func(cluster, probeCase, target string, since time.Time, looked bool) {
		key := [3]string{cluster, probeCase, target}
		was, there := known[key]
		at := formatTime(since)
		if there && at <= was.since {
			return
		}
		if there && was.since != "" && was.last != "" {
			c[countOf{probeCase, cluster, hourAt(since), countTurned}]++
		}
		was.since = at
		if looked {
			was.last = at
		}
		known[key] = was
	}
	for _, said := range all {
		for _, t := range said.Turns {
			turn(said.Cluster, t.Case, t.Target, t.Since, true)
		}
		for _, s := range said.Stands {
			turn(said.Cluster, s.Case, s.Target, s.Since, s.Last != nil)
			key, at := [2]string{said.Cluster, s.Case}, formatTime(said.At)
			was, there := missed[key]
			if there && at < was.said {
				continue
			}
			// Of a row without a since nobody has written down how many it was: it is from before they were counted.
			if n := s.Missed - was.missed; was.since != "" && n != 0 {
				switch {
				case n < 0 && 2*s.Missed < was.missed: // it counts anew
					n = s.Missed
				case n < 0: // who runs it was killed before he had written the last ones down
					n = 0
				}
				c[countOf{s.Case, said.Cluster, hourAt(said.At), countMissed}] += n
			}
			missed[key] = before{since: at, said: at, missed: s.Missed}
		}
	}
	maps.DeleteFunc(c, func(_ countOf, n int64) bool { return n == 0 })
	return nil
}

// knownBefore is what is known of the cases of which something is said, and how many runs each has missed, as was said of it last.
func knownBefore(
	ctx context.Context, tx handle, all []probing.Said,
) (known map[[3]string]before, missed map[[2]string]before, err error) {
	cases := map[[2]string]bool{}
	for _, said := range all {
		for _, t := range said.Turns {
			cases[[2]string{said.Cluster, t.Case}] = true
		}
		for _, s := range said.Stands {
			cases[[2]string{said.Cluster, s.Case}] = true
		}
	}
	order := slices.SortedFunc(maps.Keys(cases), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	known, missed = map[[3]string]before{}, map[[2]string]before{}
	for some := range slices.Chunk(order, rowsAtOnce) {
		var args []any
		for _, of := range some {
			args = append(args, of[0], of[1])
		}
		_, err := rows(ctx, tx, func(row scanner) (none struct{}, err error) {
			var key [3]string
			var was before
			if err := row.Scan(&key[0], &key[1], &key[2], &was.since, &was.last, &was.said, &was.missed); err != nil {
				return none, err
			}
			known[key] = was
			of := [2]string{key[0], key[1]}
			if last, there := missed[of]; !there || was.said > last.said {
				missed[of] = was
			}
			return none, nil
		}, `SELECT cluster, probe_case, target, since, last, said, missed FROM probe_stands
			WHERE (cluster, probe_case) IN (VALUES `+values(len(some), 2)+`)`, args...)
		if err != nil {
			return nil, nil, err
		}
	}
	return known, missed, nil
}

// ListProbeNoise implements ledger.Probes.
func (s *Store) ListProbeNoise(ctx context.Context, probeCase string, from, to time.Time) ([]ledger.ProbeNoise, error) {
	all := map[string]*ledger.ProbeNoise{}
	steps := map[string]map[int]int64{}
	type row struct {
		probeCase, what string
		n               int64
	}
	read := func(query, end string) ([]row, error) {
		args := []any{formatTime(from), formatTime(to)}
		if probeCase != "" {
			query, args = query+` AND probe_case = ?`, append(args, probeCase)
		}
		list, err := rows(ctx, s.all, func(r scanner) (o row, err error) {
			err = r.Scan(&o.probeCase, &o.what, &o.n)
			return o, err
		}, query+end, args...)
		for _, r := range list {
			if all[r.probeCase] == nil {
				all[r.probeCase], steps[r.probeCase] = &ledger.ProbeNoise{Case: r.probeCase, From: from, To: to}, map[int]int64{}
			}
		}
		return list, failed(err, "cannot count how noisy probes were")
	}
	hours, err := read(`SELECT probe_case, verdict, CAST(SUM(runs) AS BIGINT) FROM probe_hours WHERE hour >= ? AND hour < ?`,
		` GROUP BY probe_case, verdict`)
	if err != nil {
		return nil, err
	}
	for _, r := range hours {
		all[r.probeCase].Add(api.Verdict(r.what), r.n)
	}
	labels, err := read(`SELECT probe_case, labelled, COUNT(*) FROM probe_outcomes
		WHERE verdict = 'Failed' AND verdict <> 'Passed' AND labelled <> '' AND ended >= ? AND ended < ?`, ` GROUP BY probe_case, labelled`)
	if err != nil {
		return nil, err
	}
	for _, r := range labels {
		if r.what == labelledFalse {
			all[r.probeCase].False += r.n
		} else {
			all[r.probeCase].True += r.n
		}
	}
	others, err := read(`SELECT probe_case, what, CAST(SUM(n) AS BIGINT) FROM probe_counts WHERE hour >= ? AND hour < ?`,
		` GROUP BY probe_case, what`)
	if err != nil {
		return nil, err
	}
	for _, r := range others {
		switch step, err := strconv.Atoi(strings.TrimPrefix(r.what, countAfter)); {
		case r.what == countTurned:
			all[r.probeCase].Turned += r.n
		case r.what == countMissed:
			all[r.probeCase].Missed += r.n
		case err == nil:
			steps[r.probeCase][step] += r.n
		}
	}
	var out []ledger.ProbeNoise
	for _, of := range slices.Sorted(maps.Keys(all)) {
		n := all[of]
		n.Events, n.Half, n.Most = times(steps[of])
		out = append(out, *n)
	}
	return out, nil
}

// times are how many there are of steps, and within which half of them are, and 99 of 100.
func times(steps map[int]int64) (n int64, half, most time.Duration) {
	for _, of := range steps {
		n += of
	}
	seen := int64(0)
	for _, step := range slices.Sorted(maps.Keys(steps)) {
		seen += steps[step]
		if half == 0 && 2*seen >= n {
			half = upTo(step)
		}
		if most == 0 && 100*seen >= 99*n {
			most = upTo(step)
		}
	}
	return n, half, most
}
