package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice.dev/sluice/internal/witness"
)

// snapshots are what the witness saw, by cluster.
type snapshots map[string]witness.Snapshot

func (p *play) look(ctx context.Context) (snapshots, error) {
	return witness.Snapshots(ctx, p.readers, watched...)
}

// settled looks until two looks, a second apart, see the same: controllers write the status of a workload for a while
// after its last pod.
func (p *play) settled(ctx context.Context) (snapshots, error) {
	last, err := p.look(ctx)
	if err != nil {
		return nil, err
	}
	for {
		if err := pause(ctx, time.Second); err != nil {
			return nil, err
		}
		next, err := p.look(ctx)
		if err != nil {
			return nil, err
		}
		moved := false
		for name := range next {
			moved = moved || len(witness.Moved(last[name], next[name])) > 0
		}
		if !moved {
			return next, nil
		}
		last = next
	}
}

// everywhere proves that every cluster runs these versions of the components, every pod ready.
func (p *play) everywhere(ctx context.Context, agent, control string) error {
	seen, err := p.look(ctx)
	if err != nil {
		return err
	}
	for _, name := range p.shape.clusters {
		for component, version := range map[string]string{nodeAgent: agent, controller: control, web: version1} {
			s := seen[name].In(component)
			want := p.shape.pods(component)
			if s.Tags()[version] != want || len(s.Tags()) != 1 || s.Ready() != want {
				return fmt.Errorf("%s in %s should be at %s with %d pods ready, and runs %s", component, name, version, want, s.Running())
			}
		}
	}
	p.say("the witness reads %s %s, %s %s and %s %s in all %d clusters",
		nodeAgent, agent, controller, control, web, version1, len(p.shape.clusters))
	return nil
}

// watches are the witness's recordings of a component's pods, by cluster.
type watches map[string]*witness.Recorder

func (p *play) watch(ctx context.Context, component string) (watches, error) {
	all := watches{}
	for _, r := range p.readers {
		rec, err := r.Record(ctx, component)
		if err != nil {
			all.stop()
			return nil, err
		}
		all[r.Cluster()] = rec
	}
	return all, nil
}

// stop ends the recordings and returns them. It can be called again.
func (w watches) stop() map[string]witness.Recording {
	all := map[string]witness.Recording{}
	for name, rec := range w {
		all[name] = rec.Stop()
	}
	return all
}

// proveGood proves from the recordings that every node's pod was replaced exactly once, and never too many were away.
func (p *play) proveGood(recordings map[string]witness.Recording) error {
	allowed := max(1, p.shape.nodes*mostUnavailable/100)
	most := 0
	for _, name := range p.shape.clusters {
		rec := recordings[name]
		away := rec.MostUnavailable(p.shape.nodes)
		if away > allowed {
			return fmt.Errorf("%d pods of %s were away at once in %s, at most %d are allowed", away, nodeAgent, name, allowed)
		}
		most = max(most, away)
		made := rec.Made(version2)
		if len(made) != p.shape.nodes {
			return fmt.Errorf("%s got a pod of %s %s on %d of %d nodes", name, nodeAgent, version2, len(made), p.shape.nodes)
		}
		for node, times := range made {
			if times != 1 {
				return fmt.Errorf("node %s got a pod of %s %s %d times", node, nodeAgent, version2, times)
			}
		}
	}
	p.report.Proof.MostUnavailable = most
	p.say("the witness saw each node's pod replaced once, and never more than %d of %d away in a cluster (%d are allowed)",
		most, p.shape.nodes, allowed)
	return nil
}

// proveBad proves that a bad version was stopped in the first batch of the first cluster, by the check that is there for it; that
// this cluster is back; and that nothing else was touched.
func (p *play) proveBad(b bad, run Rolled, before, after snapshots, recordings map[string]witness.Recording) error {
	blocked, err := p.blockedIn(run)
	if err != nil {
		return err
	}
	if blocked.Check != b.check {
		return fmt.Errorf("run %s should have been stopped by %s, and was by %s: %s", run.Name, b.check, blocked.Check, blocked.Message)
	}
	if !strings.Contains(blocked.Message, b.says) {
		return fmt.Errorf("run %s should have been stopped because of %s, and was because of: %s", run.Name, b.says, blocked.Message)
	}
	batch := run.moved(blocked.Cluster)
	if len(batch) != 1 || batch[0].Number != 1 {
		return fmt.Errorf("run %s should have been stopped in its first batch, and began %d in %s", run.Name, len(batch), blocked.Cluster)
	}
	if i := slices.IndexFunc(batch[0].Verdicts, func(v Verdict) bool { return v.At == "afterBatch" }); b.early && i >= 0 {
		late := batch[0].Verdicts[i].Check
		return fmt.Errorf("run %s should have been stopped before its batch had soaked, and %s was asked after it", run.Name, late)
	}
	if err := b.contented(run.Name, batch[0]); err != nil {
		return err
	}
	for _, name := range p.shape.clusters {
		most := recordings[name].MostWithTag(b.tag)
		if name == blocked.Cluster {
			p.report.Proof.MostBad = most
			if most != batch[0].Size {
				return fmt.Errorf("the first batch is %d pods, and %d pods of the bad version were seen in %s", batch[0].Size, most, name)
			}
			continue
		}
		if moved := witness.Moved(before[name], after[name]); len(moved) > 0 || most > 0 {
			return fmt.Errorf("%s should not have been touched, and %d things moved there: %s",
				name, len(moved), strings.Join(moved[:min(3, len(moved))], "; "))
		}
		p.report.Proof.Untouched = append(p.report.Proof.Untouched, Untouched{
			Cluster: name, Pods: len(after[name].Pods), Objects: len(after[name].Objects),
		})
	}
	was, is := before[blocked.Cluster], after[blocked.Cluster]
	for _, other := range watched {
		if moved := witness.Moved(was.In(other), is.In(other)); other != b.rollout.component && len(moved) > 0 {
			return fmt.Errorf("%s of %s should not have been touched: %s", other, blocked.Cluster, strings.Join(moved, "; "))
		}
	}
	all := p.shape.pods(b.rollout.component)
	if stayed := same(was.In(b.rollout.component), is.In(b.rollout.component)); stayed != all-batch[0].Size {
		return fmt.Errorf("%d of %d pods of %s should be the ones of before in %s, and %d are",
			all-batch[0].Size, all, b.rollout.component, blocked.Cluster, stayed)
	}
	p.say("blocked at %s by %s: %s", blocked.At, blocked.Check, blocked.Message)
	if b.early {
		p.say("that was before the checks after the batch were asked")
	}
	if len(b.content) > 0 {
		p.say("%s saw nothing wrong with that batch", strings.Join(b.content, " and "))
	}
	p.say("the witness saw %d pod of the bad version, and the same pods and resource versions as before in the other %d clusters",
		batch[0].Size, len(p.shape.clusters)-1)
	return nil
}

// contented proves that the checks which see nothing in a bad version have passed in its batch.
func (b bad) contented(run string, batch Batch) error {
	for _, check := range b.content {
		seen := slices.DeleteFunc(slices.Clone(batch.Verdicts), func(v Verdict) bool { return v.Check != check })
		if len(seen) == 0 || slices.ContainsFunc(seen, func(v Verdict) bool { return v.Verdict != "Passed" }) {
			return fmt.Errorf("check %s of run %s should have seen nothing wrong, and says %v", check, run, seen)
		}
	}
	return nil
}

// blockedIn finds what stopped a run that was rolled back, and proves that only one unit had moved.
func (p *play) blockedIn(run Rolled) (Blocked, error) {
	var found []Blocked
	for _, u := range run.Units {
		if !u.Moved {
			continue
		}
		if u.Phase != "RolledBack" || u.Blocked == nil {
			return Blocked{}, fmt.Errorf("unit %s of run %s should have been stopped by a check and rolled back, and is %s",
				u.Path, run.Name, u.Phase)
		}
		found = append(found, *u.Blocked)
	}
	if len(found) != 1 {
		return Blocked{}, fmt.Errorf("one unit of run %s should have moved, and %d have", run.Name, len(found))
	}
	p.report.Blocked = append(p.report.Blocked, found[0])
	return found[0], nil
}

// same counts the pods that are in both snapshots.
func same(before, after witness.Snapshot) int {
	n := 0
	for _, pod := range after.Pods {
		if slices.ContainsFunc(before.Pods, func(was witness.Pod) bool { return was.UID == pod.UID }) {
			n++
		}
	}
	return n
}
