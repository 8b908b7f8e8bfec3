package agent

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/uplink"
)

// hearing hears calls, or does not as the link is down.
type hearing struct {
	grpc.ClientConnInterface
	down   bool
	writes []string        // outcomes as they came, by object and resource version
	lost   bool            // the answer to a late report is lost
	late   []uplink.Report // that came late
}

func (c *hearing) Invoke(_ context.Context, method string, args, _ any, _ ...grpc.CallOption) error {
	if c.down {
		return status.Error(codes.Unavailable, "the link is down")
	}
	switch method {
	case uplink.SaveWrite.Path():
		w := args.(ledger.Write)
		c.writes = append(c.writes, w.Object+"@"+w.ResourceVersion)
	case uplink.ReportLate.Path():
		if data, err := json.Marshal(args); err != nil || len(data) > uplink.MaxMessage {
			return status.Error(codes.ResourceExhausted, "a message is too large")
		}
		c.late = append(c.late, slices.Clone(args.([]uplink.Report))...)
		if c.lost {
			return status.Error(codes.Unavailable, "nobody heard the answer")
		}
	}
	return nil
}

func opened(t *testing.T, dir string) *spool {
	t.Helper()
	s, err := openSpool(filepath.Join(dir, spoolFile))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func outcome(object, version string) ledger.Write {
	return ledger.Write{Run: "agent-1", Cluster: "a", Subject: api.Component("agent"), Object: object, Step: "patch", Intent: "i",
		ResourceVersion: version}
}

func said(all []uplink.Report) (keys []string) {
	for _, r := range all {
		switch {
		case r.Write != nil:
			keys = append(keys, r.Write.Object+"@"+r.Write.ResourceVersion)
		case r.Observation != nil:
			keys = append(keys, r.Observation.Version)
		}
	}
	return keys
}

func TestWhatCannotBeReportedIsReportedLater(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	c := &hearing{down: true}
	r := &Records{server: c, spool: opened(t, dir)}
	if err := r.SaveWrite(ctx, outcome("x", "")); fault.CodeOf(err) != fault.Unreachable {
		t.Errorf("an intent has to be heard: %v", err)
	}
	see := func(version string) error {
		return r.SaveObservation(ctx, ledger.Observation{Cluster: "a", Subject: api.Component("agent"), Version: version})
	}
	for _, err := range []error{
		r.SaveWrite(ctx, outcome("x", "7")), see("1.0.0"), r.SaveWrite(ctx, outcome("y", "8")), r.SaveWrite(ctx, outcome("x", "9")),
		see("1.1.0"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	// The agent is killed, in the middle of a line.
	file := filepath.Join(dir, spoolFile)
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"write":{"run":"agent-1","clu`); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	s := opened(t, dir)
	if err := s.send(ctx, c); fault.CodeOf(err) != fault.Unreachable || len(s.waiting) != 3 {
		t.Errorf("while the link is down they wait: %v, %v", said(s.waiting), err)
	}
	c.down, c.lost = false, true
	if err := s.send(ctx, c); err == nil {
		t.Error("nobody knows whether they came")
	}
	c.lost = false
	c.late = nil
	if err := s.send(ctx, c); err != nil {
		t.Fatal(err)
	}
	if got := said(c.late); !slices.Equal(got, []string{"x@9", "1.1.0", "y@8"}) {
		t.Errorf("the last of each comes, and what was cut off does not: %v", got)
	}
	c.late = nil
	if err := opened(t, dir).send(ctx, c); err != nil || len(c.late) > 0 {
		t.Errorf("what has come is not reported once more: %v (%v)", said(c.late), err)
	}
}

func TestASpoolIsBounded(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	s := opened(t, dir)
	var lines strings.Builder
	for i := range maxSpooled + 5 {
		lines.WriteString(`{"write":{"run":"r","cluster":"a","component":"agent","object":"` + strconv.Itoa(i) + `","step":"patch","resourceVersion":"1"}}` + "\n")
	}
	if err := os.WriteFile(s.file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	s = opened(t, dir)
	r := &Records{server: &hearing{down: true}, spool: s}
	if len(s.waiting) != maxSpooled {
		t.Fatalf("%d wait", len(s.waiting))
	}
	if err := r.SaveWrite(ctx, outcome("one more", "1")); fault.CodeOf(err) != fault.Unreachable || !strings.Contains(err.Error(),
		"4096 reports wait") {
		t.Errorf("who cannot be heard any more stops: %v", err)
	}
	c := &hearing{}
	if err := s.send(ctx, c); err != nil || len(c.late) != maxSpooled {
		t.Errorf("%d came (%v)", len(c.late), err)
	}
	if info, err := os.Stat(s.file); err != nil || info.Size() != 0 {
		t.Errorf("nothing is left of them: %v, %v", info, err)
	}
}

// What is kept after a line was cut off is there when the agent is started once more.
func TestWhatIsKeptAfterAHalfLineCounts(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	file := filepath.Join(dir, spoolFile)
	if err := os.WriteFile(file, []byte(`{"write":{"run":"agent-1","clu`), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &Records{server: &hearing{down: true}, spool: opened(t, dir)}
	if err := r.SaveWrite(ctx, outcome("x", "7")); err != nil {
		t.Fatal(err)
	}
	if got := said(opened(t, dir).waiting); !slices.Equal(got, []string{"x@7"}) {
		t.Errorf("after a line that was cut off: %v wait", got)
	}
}

// Many large reports come in several calls: one that is too large never would, nor would any behind it.
func TestLargeReportsComeInSeveralCalls(t *testing.T) {
	s := opened(t, t.TempDir())
	for i := range atOnce {
		if err := s.add(uplink.Report{Write: &ledger.Write{Object: strings.Repeat("o", maxLine-1000) + strconv.Itoa(i)}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	c := &hearing{}
	if err := s.send(t.Context(), c); err != nil || len(c.late) != atOnce {
		t.Errorf("%d of %d came (%v)", len(c.late), atOnce, err)
	}
}

// A link that is down for days has the same things seen again and again.
func TestASpoolDoesNotGrowByWhatIsOvertaken(t *testing.T) {
	s := opened(t, t.TempDir())
	s.size = maxFile + 1 // as it would be by then
	for _, version := range []string{"1", "2"} {
		w := outcome("x", version)
		if err := s.add(uplink.Report{Write: &w}, nil); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(s.file)
	if err != nil || info.Size() != s.size {
		t.Errorf("the file has %v bytes, and is thought to have %d (%v)", info, s.size, err)
	}
}

func TestWhoNobodyInvited(t *testing.T) {
	dir := t.TempDir()
	if _, err := open(t.Context(), &Options{Dir: dir}); fault.CodeOf(err) != fault.Unauthorized {
		t.Errorf("an agent that nobody invited: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, identityFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t.Context(), &Options{Dir: dir}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("an identity that cannot be read: %v", err)
	}
}
