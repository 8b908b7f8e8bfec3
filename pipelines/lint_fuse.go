package pipelines

import "time"

// maxFuseWithin is how far back a fuse looks at most.
const maxFuseWithin = 7 * Day

func (l *linter) fuse(f *Fuse, at spot) {
	spec := at.at("spec")
	if spec.flawed() {
		return
	}
	s := &f.Spec
	if s.Failures > s.Of && spec.has("of") && spec.has("failures") {
		l.report.addAt(spec.at("failures"), "it can never trip: %d clusters that failed are not among %d that ended", s.Failures, s.Of)
	}
	if w := s.Within.Std(); spec.has("within") && (w < time.Minute || w > maxFuseWithin) {
		l.report.addAt(spec.at("within"), "a fuse looks back for 1m to 7d, not %s", s.Within)
	}
	if s.InFlight == "" {
		s.InFlight = FusePauseNow
	}
}
