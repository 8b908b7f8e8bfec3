package kuberhealthy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/probing"
)

const (
	atOnce     = 64 // reports that are read at a time
	ownerLooks = 5  // for a pod whose address is not known yet, a moment apart
	longestID  = 128
)

type handler struct {
	runs       Runs
	clock      clock.Clock
	patience   time.Duration
	bodyWithin time.Duration
	slots      chan struct{}
}

// refusal is an answer that is not 200.
type refusal struct {
	status int
	why    string
}

func (r *refusal) Error() string { return r.why }

func refuse(status int, format string, args ...any) error {
	return &refusal{status: status, why: fmt.Sprintf(format, args...)}
}

// v3 looks in the order of version 3: method, content type, run, deadline, body.
func (h *handler) v3(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		answer(w, refuse(http.StatusMethodNotAllowed, "a report is a POST"))
		return
	}
	if !strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "application/json") {
		answer(w, refuse(http.StatusUnsupportedMediaType, "a report is application/json"))
		return
	}
	result, err := h.reported(w, r, probing.ContractV3, r.Header.Get(HeaderRun))
	if err != nil {
		answer(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(statusOf(result))
}

// v2 asks for no method and no type. Who sends no run is known by his address. Of its clients some do not read the answer: they end when
// the connection does.
func (h *handler) v2(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	if r.ContentLength == 0 {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			here(w, r)
			return
		}
		answer(w, refuse(http.StatusBadRequest, "a report has a body"))
		return
	}
	uuid := r.Header.Get(HeaderRun)
	if uuid == "" {
		var err error
		if uuid, err = h.owner(r); err != nil {
			answer(w, err)
			return
		}
	}
	if _, err := h.reported(w, r, probing.ContractV2, uuid); err != nil {
		answer(w, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// here answers who looks whether anybody is. Some programs of version 2 wait for a 200 before they begin, at this path or at the root.
func here(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// reported takes the report of a run.
func (h *handler) reported(w http.ResponseWriter, r *http.Request, by probing.Contract, uuid string) (probing.Result, error) {
	late, err := h.allowed(r.Context(), by, uuid)
	if err != nil {
		return probing.Result{}, err
	}
	if err := h.enter(r.Context()); err != nil {
		return probing.Result{}, err
	}
	defer func() { <-h.slots }()
	raw, cut, err := read(w, r, h.bodyWithin)
	if err != nil {
		return probing.Result{}, err
	}
	result, report, err := decode(raw, cut, by)
	if err != nil {
		return probing.Result{}, err
	}
	report.Late, report.Address = late, address(r)
	err = h.patient(r.Context(), func(ctx context.Context) error { return h.runs.Take(ctx, uuid, result, report) })
	if fault.CodeOf(err) == fault.Conflict {
		return result, second(by)
	}
	return result, err
}

// allowed is whether a run may report now. What is late by version 2 is taken, and what is said twice is not, but is not refused either.
func (h *handler) allowed(ctx context.Context, by probing.Contract, uuid string) (late bool, err error) {
	if uuid == "" || len(uuid) > longestID {
		return false, refuse(http.StatusBadRequest, "the header %s names no run", HeaderRun)
	}
	var run Known
	if err := h.patient(ctx, func(ctx context.Context) (err error) {
		run, err = h.runs.Known(ctx, uuid)
		return err
	}); err != nil {
		return false, err
	}
	late = !run.Resident && !run.Deadline.IsZero() && !h.clock.Now().Before(run.Deadline)
	switch {
	case run.Reported, run.Done && !late:
		return late, second(by)
	case late && by == probing.ContractV3:
		return late, refuse(http.StatusGone, "the run was to report by %s", run.Deadline.UTC().Format(time.RFC3339))
	case run.Done:
		return late, second(by)
	}
	return late, nil
}

// second is the answer to a report of a run that has ended: the first one counts.
func second(by probing.Contract) error {
	if by == probing.ContractV2 {
		return &refusal{status: http.StatusOK}
	}
	return refuse(http.StatusBadRequest, "the run has reported before, or has ended")
}

// owner is the run of the pod that asks. A pod may be faster than the news of its address.
func (h *handler) owner(r *http.Request) (uuid string, err error) {
	from := address(r)
	for look := range ownerLooks {
		err = h.patient(r.Context(), func(ctx context.Context) (err error) {
			uuid, err = h.runs.Owner(ctx, from)
			return err
		})
		if fault.CodeOf(err) != fault.NotFound || look == ownerLooks-1 {
			break
		}
		if !h.pause(r.Context(), h.patience/(2*ownerLooks)) {
			break
		}
	}
	if fault.CodeOf(err) == fault.NotFound {
		return "", refuse(http.StatusBadRequest, "there is no header %s, and no run of a pod at %s", HeaderRun, from)
	}
	return uuid, err
}

// enter waits for one of the slots.
func (h *handler) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-h.clock.After(h.patience):
		return refuse(http.StatusServiceUnavailable, "%d reports are being read; try again", atOnce)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// patient does again what may succeed later, for as long as the patience lasts: a client that is told to come again may come with nothing.
func (h *handler) patient(ctx context.Context, do func(context.Context) error) error {
	end := h.clock.Now().Add(h.patience)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := do(ctx)
		if err == nil || !fault.CodeOf(err).Retryable() || h.clock.Now().Add(wait).After(end) || !h.pause(ctx, wait) {
			return err
		}
	}
}

// pause is false where the client does not wait any more.
func (h *handler) pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-h.clock.After(d):
		return true
	}
}

func address(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap()
}

// answer says why a report was not taken. To clients of version 3 both 200 and 400 are delivered, and all else is to be sent again.
func answer(w http.ResponseWriter, err error) {
	var no *refusal
	switch code := fault.CodeOf(err); {
	case errors.As(err, &no):
	case errors.Is(err, os.ErrDeadlineExceeded):
		no = &refusal{http.StatusRequestTimeout, "the report did not come in time"}
	case code == fault.NotFound, code == fault.Invalid, code == fault.Refused:
		no = &refusal{http.StatusBadRequest, err.Error()}
	default:
		no = &refusal{http.StatusInternalServerError, "cannot keep the report now"}
	}
	if no.status == http.StatusOK {
		w.WriteHeader(no.status)
		return
	}
	http.Error(w, no.why, no.status)
}
