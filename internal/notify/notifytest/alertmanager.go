// Package notifytest starts real receivers of notifications for tests.
package notifytest

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Alertmanager starts Debian's, with nobody to tell, and returns its address; it ends with the test. Without the package the test is
// skipped by name, and fails where SLUICE_REQUIRE is "all".
func Alertmanager(t *testing.T) string {
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

// Alerts are those that an Alertmanager has, by name and run.
func Alerts(t *testing.T, address string) map[string]map[string]string {
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
