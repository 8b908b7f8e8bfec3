package server

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"sluice.dev/sluice/internal/fault"
)

// Bounds on how many bodies are held at once: one takes five times its length while it is read.
const (
	largeBody   = 1 << 20 // bytes; longer ones, and those of which nobody says how long they are, are large
	largePlaces = 6
	largePer    = 2 // of one subject

	middleBody   = 64 << 10
	middlePlaces = 64
	middlePer    = 16

	placeWithin = 30 * time.Second // so long somebody waits for a place
	comeAgainIn = 10               // seconds, where there was none
)

// bodies are the places of bodies by their lengths. Small ones take none.
type bodies struct{ large, middle *places }

func newBodies() bodies {
	return bodies{large: newPlaces(largePlaces, largePer), middle: newPlaces(middlePlaces, middlePer)}
}

// of are the places for the body of a request; nil where it takes none.
func (b bodies) of(r *http.Request) *places {
	switch {
	case r.ContentLength < 0 || r.ContentLength > largeBody:
		return b.large
	case r.ContentLength > middleBody:
		return b.middle
	}
	return nil
}

// places are held by whoever sends something, from before it is read until it is needed no more.
type places struct {
	all chan struct{}
	per int

	mu sync.Mutex
	of map[string]*ownPlaces // by subject, of those who hold or await one
}

type ownPlaces struct {
	taken chan struct{}
	here  int
}

func newPlaces(all, per int) *places {
	return &places{all: make(chan struct{}, all), per: per, of: map[string]*ownPlaces{}}
}

// take takes a place, in turn, and returns what gives it back, which may be called more than once. It waits until ctx ends.
func (p *places) take(ctx context.Context, subject string) (leave func(), err error) {
	own := p.come(subject)
	select {
	case own.taken <- struct{}{}:
	case <-ctx.Done():
		p.gone(subject)
		return nil, ctx.Err()
	}
	select {
	case p.all <- struct{}{}:
	case <-ctx.Done():
		<-own.taken
		p.gone(subject)
		return nil, ctx.Err()
	}
	return sync.OnceFunc(func() {
		<-p.all
		<-own.taken
		p.gone(subject)
	}), nil
}

func (p *places) come(subject string) *ownPlaces {
	p.mu.Lock()
	defer p.mu.Unlock()
	own := p.of[subject]
	if own == nil {
		own = &ownPlaces{taken: make(chan struct{}, p.per)}
		p.of[subject] = own
	}
	own.here++
	return own
}

func (p *places) gone(subject string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[subject].here--; p.of[subject].here == 0 {
		delete(p.of, subject)
	}
}

type placeKey struct{}

// placed has a request wait for a place where its body takes one. What comes back gives it back; it is false where there was none in time,
// and whoever asks is told so.
func (s *server) placed(w http.ResponseWriter, r *http.Request, subject string) (*http.Request, func(), bool) {
	at := s.bodies.of(r)
	if at == nil {
		return r, func() {}, true
	}
	ctx, stop := context.WithTimeout(r.Context(), s.PlaceWithin)
	defer stop()
	leave, err := at.take(ctx, subject)
	if err != nil {
		w.Header().Set("Retry-After", strconv.Itoa(comeAgainIn))
		s.write(w, problemOf(fault.New(fault.Unreachable,
			"cannot take in what you send: too much is being read, of yours or of others; ask again later")))
		return r, nil, false
	}
	return r.WithContext(context.WithValue(r.Context(), placeKey{}, leave)), leave, true
}

// leavePlace gives back the place of a request, where it has one.
func leavePlace(ctx context.Context) {
	if leave, ok := ctx.Value(placeKey{}).(func()); ok {
		leave()
	}
}
