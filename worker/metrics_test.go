package worker

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger/sqlite/sqlitetest"
	"sluice.dev/sluice/internal/metrics"
)

func measured(t *testing.T, address string, siteOnly bool) Options {
	return Options{
		Ledger: sqlitetest.New(t), Checking: Checking{Metrics: metrics.New()}, MetricsAddress: address, SiteOnly: siteOnly, Logger: slog.New(slog.DiscardHandler),
	}
}

func TestMetricsAreServedWhereSomebodyCanListen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, address := range []string{"9464", "nowhere.invalid:1", taken.Addr().String()} {
		_, err := measured(t, address, true).serveMetrics(t.Context(), "sluice-1")
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "cannot serve metrics at "+address) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestAWorkerOfASiteLeavesTheLedgerToOthers has one that serves the central queue say where runs are, and one near clusters not.
func TestAWorkerOfASiteLeavesTheLedgerToOthers(t *testing.T) {
	for _, siteOnly := range []bool{false, true} {
		address := func() string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			return l.Addr().String()
		}()
		o := measured(t, address, siteOnly)
		if !siteOnly {
			o.Ledger.Close() // that it cannot be read is told, and Temporal is not asked then
		}
		end, err := o.serveMetrics(context.Background(), "sluice-1")
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("%s, %v", response.Status, err)
		}
		if told := strings.Contains(string(page), "\nsluice_state_up"); told == siteOnly || !strings.Contains(string(page), "\ngo_goroutines ") {
			t.Errorf("of sites only %v: %s", siteOnly, page)
		}
		end()
		if _, err := http.Get("http://" + address + "/metrics"); err == nil {
			t.Error("it is served after its end")
		}
	}
}
