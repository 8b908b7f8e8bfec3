package control

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net/http"
)

// Handler is what a supervisor can be asked for.
type Handler interface {
	// Status tells the state of the stack now.
	Status(ctx context.Context) Status
	// Down begins to stop the stack and returns.
	Down()
	// Part acts on a part and waits until that is done.
	Part(ctx context.Context, req PartRequest) error
}

// Serve returns the HTTP side of a supervisor.
func Serve(token string, h Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+StatusPath, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(h.Status(r.Context()))
	})
	mux.HandleFunc("POST "+DownPath, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		h.Down()
	})
	mux.HandleFunc("POST "+PartPath, func(w http.ResponseWriter, r *http.Request) {
		var req PartRequest
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&req)
		if err == nil {
			err = h.Part(r.Context(), req)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		}
	})
	want := "Bearer " + token
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(want)) != 1 {
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}
