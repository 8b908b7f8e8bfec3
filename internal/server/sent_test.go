package server_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"sluice.dev/sluice/pipelines"
)

// TestWhoPlansKeepsNobodyFromReading has many plans look at clusters for as long as they like: documents are read meanwhile.
func TestWhoPlansKeepsNobodyFromReading(t *testing.T) {
	b := newBench(t)
	b.bind("planner", everything, pipelines.RolePlanner)
	h := b.handler()
	const plans = 10
	looking, goOn := make(chan struct{}, plans), make(chan struct{})
	b.temporal.looking = func() {
		looking <- struct{}{}
		<-goOn
	}
	var all sync.WaitGroup
	token, sent := b.token("planner"), b.sent()
	for range plans {
		r := b.request("POST", "/plans", `{"component":"agent",`+sent+`}`, token)
		all.Go(func() {
			if w := b.answer(h, r); w.Code != http.StatusOK {
				t.Errorf("no plan is made: %d %s", w.Code, w.Body)
			}
		})
	}
	for i := range plans {
		select {
		case <-looking:
		case <-time.After(20 * time.Second):
			t.Errorf("%d plans look at clusters, and no other is read", i)
			close(goOn)
			return
		}
	}
	if w := b.ask(h, "POST", "/lint", "{"+sent+"}", token); w.Code != http.StatusOK {
		t.Errorf("nothing is read meanwhile: %d %s", w.Code, w.Body)
	}
	close(goOn)
	all.Wait()
}
