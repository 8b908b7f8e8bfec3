package notify_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/pipelines"
)

// alertmanager is Debian's, with nobody to tell. Without the package the test is skipped by name, and fails where SLUICE_REQUIRE is
// "all".
func alertmanager(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		if os.Getenv("SLUICE_REQUIRE") == "all" {
			t.Fatal("prometheus-alertmanager is not installed, and everything is required")
		}
		t.Skip("needs prometheus-alertmanager")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(config, []byte("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	cmd := exec.Command(program, "--config.file="+config, "--storage.path="+dir, "--web.listen-address="+address, "--cluster.listen-address=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		response, err := http.Get("http://" + address + "/-/ready")
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return "http://" + address
			}
		}
		if time.Now().After(end) {
			t.Fatal("alertmanager does not get ready")
		}
	}
}

// alerts are those that an Alertmanager has, by name and run.
func alerts(t *testing.T, address string) map[string]map[string]string {
	t.Helper()
	response, err := http.Get(address + "/api/v2/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var all []struct {
		Labels      map[string]string
		Annotations map[string]string
	}
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]string{}
	for _, a := range all {
		a.Labels["summary"] = a.Annotations["summary"]
		out[a.Labels["alertname"]+" "+a.Labels["run"]] = a.Labels
	}
	return out
}

func TestAnAlertLastsUntilTheRunGoesOn(t *testing.T) {
	address := alertmanager(t)
	s := newSiteAt(t, time.Now().Add(-10*time.Minute)) // Alertmanager goes by the real clock
	s.Receivers["pager"] = &pipelines.Receiver{Spec: pipelines.ReceiverSpec{
		Alertmanager: &pipelines.AlertmanagerReceiver{URL: address + "/", Labels: map[string]string{"team": "infra"}},
	}}
	step := func() {
		t.Helper()
		s.look()
		s.tell()
	}
	run := s.start()
	s.shows(run, api.PhaseHeld, "decision cn/c1")
	step()
	const held = "SluiceRunHeld agent-1"
	got := alerts(t, address)
	if len(got) != 1 || got[held]["team"] != "infra" || got[held]["environment"] != "production" || got[held]["component"] != "agent" {
		t.Fatalf("alerts %v; notices %+v", got, s.listed())
	}
	if want := "agent-1 (agent 2): held"; got[held]["summary"] != want {
		t.Errorf("it says %q, not %q", got[held]["summary"], want)
	}
	if list := s.listed(); len(list) != 1 || !list[0].Settled.IsZero() || list[0].Told.IsZero() {
		t.Errorf("it stands as %+v", list)
	}
	s.clock.Step(6 * time.Minute) // it is told again
	step()
	if list := s.listed(); list[0].Attempts != 2 || !list[0].Settled.IsZero() {
		t.Errorf("it stands as %+v", list)
	}
	s.clock.SetTime(time.Now())
	s.shows(run, api.PhaseMoving, "pods 1")
	step()
	for end := time.Now().Add(20 * time.Second); len(alerts(t, address)) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it goes on, and alerts are %v; notices %+v", alerts(t, address), s.listed())
		}
	}
	for _, n := range s.listed() {
		if n.Settled.IsZero() {
			t.Errorf("it waits still: %+v", n)
		}
	}
	s.end(run, api.PhaseFailed)
	step()
	if got := alerts(t, address); len(got) != 1 || got["SluiceRunFailed agent-1"] == nil {
		t.Errorf("alerts %v", got)
	}
	s.clock.Step(10 * time.Minute)
	step()
	if n := s.listed()[0]; n.Attempts != 1 {
		t.Errorf("what is over was told again: %+v", n)
	}
}
