package pipelines

import (
	"time"

	"sluice.dev/sluice/pipelines/calendar"
)

// drill checks one: that it can ever run, and names what is there. Whether the pipeline moves what it may touch is seen when it starts.
func (l *linter) drill(d *Drill, at spot) {
	spec := at.at("spec")
	l.selector(&d.Spec.ClusterGroups, spec.at("clusterGroups"), "clusterGroups")
	l.selectorNames(&d.Spec.ClusterGroups, spec.at("clusterGroups"), KindClusterGroup)
	l.referIfAny(spec.at("pipeline"), KindPipeline, d.Spec.Pipeline)
	when := spec.at("schedule")
	if zone := d.Spec.Schedule.TimeZone; zone != "" {
		if _, err := calendar.Zone(zone); err != nil {
			l.report.addAt(when.at("timeZone"), "%v", err)
		}
	}
	if cron := d.Spec.Schedule.Cron; cron != "" {
		period, err := calendar.Cron(cron, time.Minute)
		switch {
		case err != nil:
			l.report.addAt(when.at("cron"), "%v", err)
		case !calendar.Ever(period):
			l.report.addAt(when.at("cron"), "the drill never runs: %s comes in no year", cron)
		}
	}
	within := d.Spec.Expect.Within.Std()
	if within != 0 && (within < leastDrill || within > mostDrill) {
		l.report.addAt(spec.at("expect", "within"), "within is from 1m to 24h")
	}
}
