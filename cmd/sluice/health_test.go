package main

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestALocalServerSaysHowItIs asks a server and worker in one, at the one address that it has for that.
func TestALocalServerSaysHowItIs(t *testing.T) {
	o := newOperator(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := "http://" + listener.Addr().String()
	listener.Close()
	ask := func(path string) (int, string) {
		response, err := http.Get(at + path)
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	o.serves("--metrics", strings.TrimPrefix(at, "http://"))
	until(t, "it is ready", func() bool { code, _ := ask("/readyz"); return code == http.StatusOK })
	if code := o.types(t.Context(), &page{}, "whoami"); code != 0 {
		t.Errorf("whoami: %d", code)
	}
	_, text := ask("/metrics")
	for line, of := range map[string]string{
		`sluice_server_requests_total{class="2xx",operation="whoami"} 1`: "the server",
		`sluice_state_up{source="ledger"} 1`:                             "the ledger",
		"go_goroutines ":                                                 "the process",
	} {
		if strings.Count(text, "\n"+line) != 1 {
			t.Errorf("of %s it shows %d times %s:\n%s", of, strings.Count(text, "\n"+line), line, text)
		}
	}
	stack(t).Run(t, "stop", "temporal")
	t.Cleanup(func() { stack(t).Run(t, "start", "temporal") })
	until(t, "it is not ready", func() bool {
		code, text := ask("/readyz")
		return code == http.StatusServiceUnavailable && text == "not ready: no answer from Temporal\n"
	})
	if code, text := ask("/healthz"); code != http.StatusOK || text != "ok\n" {
		t.Errorf("it is as healthy as before: %d %s", code, text)
	}
	stack(t).Run(t, "start", "temporal")
	until(t, "it is ready again", func() bool { code, _ := ask("/readyz"); return code == http.StatusOK })
}
