package forgetest

import (
	"net/http"
	"strings"
)

// Fault is what is wrong with a forge.
type Fault struct {
	Method string // of requests that it strikes; "" is any
	Path   string // that is part of theirs; "" is any
	Times  int    // so many, and then no more; 0 is all

	Status int               // answered in place of what was asked
	Header map[string]string // with that
	Body   string            // with that
	Hang   bool              // nothing is answered
	Lose   bool              // what was asked is done, and the answer lost
	Before func()            // done before what was asked, as if somebody else were faster
}

// Break has a forge be faulty until the returned function is called.
func (f *Forge) Break(with Fault) (mend func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := &with
	f.faults = append(f.faults, one)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		one.Method = "mended"
	}
}

// struck is the first fault that strikes a request.
func (f *Forge) struck(r *http.Request) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r.Method+" "+r.URL.EscapedPath())
	for _, one := range f.faults {
		if one.Method != "" && one.Method != r.Method || !strings.Contains(r.URL.Path, one.Path) || one.Times < 0 {
			continue
		}
		if one.Times == 1 {
			one.Times = -1
		} else if one.Times > 1 {
			one.Times--
		}
		again := *one
		return &again
	}
	return nil
}

func (f *Forge) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", f.now().UTC().Format(http.TimeFormat))
		fault := f.struck(r)
		switch {
		case fault == nil:
			next.ServeHTTP(w, r)
		case fault.Before != nil:
			fault.Before()
			next.ServeHTTP(w, r)
		case fault.Hang:
			<-r.Context().Done()
		case fault.Lose:
			next.ServeHTTP(&lost{head: http.Header{}}, r)
			panic(http.ErrAbortHandler)
		default:
			for name, value := range fault.Header {
				w.Header().Set(name, value)
			}
			w.WriteHeader(fault.Status)
			_, _ = w.Write([]byte(fault.Body))
		}
	})
}

// lost takes an answer that nobody gets.
type lost struct{ head http.Header }

// Header implements http.ResponseWriter.
func (l *lost) Header() http.Header { return l.head }

// Write implements http.ResponseWriter.
func (*lost) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader implements http.ResponseWriter.
func (*lost) WriteHeader(int) {}
