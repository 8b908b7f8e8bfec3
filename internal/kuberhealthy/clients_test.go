package kuberhealthy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kuberhealthy"
)

// The clients below were written after the table of the contract, with the habits that it names. They are not Kuberhealthy's own.

// clientOfV3 refuses another path, sends one body again and again, and takes 200 and 400 for delivered.
func clientOfV3(ctx context.Context, to, uuid, body string, patience time.Duration) error {
	u, err := url.Parse(to)
	if err != nil || u.Path != "/check" {
		return fmt.Errorf("the path of %s is not /check", to)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewBufferString(body))
	if err != nil {
		return err
	}
	req.Header.Set("kh-run-uuid", uuid)
	req.Header.Set("Content-Type", "application/json")
	var last error
	for end, wait := time.Now().Add(patience), 50*time.Millisecond; time.Now().Before(end); wait *= 2 {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			last = err
		} else {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusBadRequest {
				return nil
			}
			last = fmt.Errorf("answer %d", resp.StatusCode)
		}
		time.Sleep(wait)
	}
	return last
}

// oldestClientOfV2 sends no run, once, and takes nothing but 200.
func oldestClientOfV2(ctx context.Context, to, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answer %d", resp.StatusCode)
	}
	return nil
}

func served(t *testing.T, r *runs, options ...kuberhealthy.Option) string {
	t.Helper()
	for id, k := range r.known { // by the machine's clock
		k.Deadline = k.Deadline.Add(time.Since(now))
		r.known[id] = k
	}
	r.owners["127.0.0.1"] = "open"
	s := httptest.NewServer(kuberhealthy.Handler(r, options...))
	t.Cleanup(s.Close)
	return s.URL
}

func TestAClientOfVersion3(t *testing.T) {
	r := some()
	base := served(t, r)
	if err := clientOfV3(t.Context(), base+"/check", "open", good, time.Second); err != nil || len(r.taken) != 1 || r.taken[0].Verdict != api.Passed {
		t.Errorf("%v, %v", err, r.taken)
	}
	if err := clientOfV3(t.Context(), base+"/externalCheckStatus", "open", good, time.Second); err == nil {
		t.Error("it reported to another path")
	}
	if err := clientOfV3(t.Context(), base+"/check", "open", bad, time.Second); err != nil || len(r.taken) != 1 {
		t.Errorf("a second report: %v, %v; it is delivered, and counts for nothing", err, r.taken)
	}
	if err := clientOfV3(t.Context(), base+"/check", "late", good, 300*time.Millisecond); err == nil || len(r.taken) != 1 {
		t.Errorf("a late report: %v, %v; it is told so until it gives up", err, r.taken)
	}
}

// TestAClientThatDrainsItsBody would lose its report where it is told to come again.
func TestAClientThatDrainsItsBody(t *testing.T) {
	r := some()
	r.take = func(n int) error {
		if n < 4 {
			return fault.New(fault.Unreachable, "the API server is away")
		}
		return nil
	}
	if err := clientOfV3(t.Context(), served(t, r)+"/check", "open", bad, 5*time.Second); err != nil || len(r.taken) != 1 {
		t.Errorf("a store that was away: %v, %v", err, r.taken)
	}
	r = some()
	r.take = func(n int) error { return fault.New(fault.Unreachable, "away") }
	to := served(t, r, kuberhealthy.WithPatience(100*time.Millisecond)) + "/check"
	if err := clientOfV3(t.Context(), to, "open", bad, 700*time.Millisecond); err == nil || len(r.taken) != 0 {
		t.Errorf("a store that stays away: %v, %v", err, r.taken)
	}
}

func TestTheOldestClientOfVersion2(t *testing.T) {
	r := some()
	base := served(t, r)
	for range 2 {
		if err := oldestClientOfV2(t.Context(), base+"/externalCheckStatus", bad); err != nil {
			t.Error(err)
		}
	}
	if len(r.taken) != 1 || r.ids[0] != "open" || r.taken[0].Verdict != api.Failed {
		t.Errorf("%v of %v", r.taken, r.ids)
	}
}

// TestAScript reports as scripts do: by curl, with what curl calls the type of a form.
func TestAScript(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil && os.Getenv("SLUICE_REQUIRE") != "all" {
		t.Skip("needs curl")
	}
	if err != nil {
		t.Fatal("curl is not installed, and everything is required")
	}
	r := some()
	base := served(t, r)
	out, err := exec.CommandContext(t.Context(), curl, "-sS", "-o", "-", "-w", "%{http_code}", "-H", "kh-run-uuid: open",
		"-d", `{"OK": false, "Errors": ["disk is full"]}`, base+"/externalCheckStatus").CombinedOutput()
	if err != nil || string(out) != "200" || len(r.taken) != 1 || r.taken[0].Errors[0] != "disk is full" {
		t.Errorf("%v: %s, %v", err, out, r.taken)
	}
}

// TestALookWhetherItIsThere is what programs do before they begin. Those of version 3 take any answer; of version 2 some wait for a 200 of
// the URL that they report to, and others of the root beside it, and do not sleep between two looks. The run has still to report.
func TestALookWhetherItIsThere(t *testing.T) {
	r := some()
	base := served(t, r)
	for path, want := range map[string]int{"/check": 405, "/externalCheckStatus": 200, "/": 200} {
		resp, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s answers %d, want %d", path, resp.StatusCode, want)
		}
	}
	if len(r.taken) > 0 || r.known["open"].Done {
		t.Errorf("it took %v", r.taken)
	}
}

// TestAClientThatWaitsForTheEnd does not read what it is answered, and has its program end when its connection does: the JavaScript of
// version 2 would stay until its pod is taken away.
func TestAClientThatWaitsForTheEnd(t *testing.T) {
	base := strings.TrimPrefix(served(t, some()), "http://")
	for _, request := range []string{
		fmt.Sprintf("POST /externalCheckStatus HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", base, len(good), good),
		"POST /externalCheckStatus HTTP/1.1\r\nHost: " + base + "\r\nContent-Length: 1\r\n\r\nx",
	} {
		conn, err := net.Dial("tcp", base)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, request)
		if said, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(said), "HTTP/1.1 ") {
			t.Errorf("it stays connected: %v, %.80q", err, said)
		}
		_ = conn.Close()
	}
}
