package canary

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// Serve is the sub-command that is the application itself.
const Serve = "serve"

// drain is how long the application answers after it was told to end: until everybody has heard that it goes.
const drain = 3 * time.Second

// ServeUntilTold is the application: it answers at PORT, 8080 where nobody says, until it is told to end and has been forgotten.
func ServeUntilTold(getenv func(string) string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	listener, err := net.Listen("tcp", net.JoinHostPort(getenv("POD_IP"), cmp.Or(getenv("PORT"), "8080")))
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	var going atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if going.Load() {
			http.Error(w, "it goes", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() {
		going.Store(true)
		time.Sleep(drain)
		_ = server.Close()
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve: %w", err)
	}
	return nil
}
