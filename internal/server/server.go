// Package server answers what can be asked of Sluice over HTTP: it finds out who asks, asks the engine, and writes what comes back. It
// keeps nothing: any server of an installation answers anything.
package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"k8s.io/utils/clock"

	"sluice.dev/sluice/internal/access"
	"sluice.dev/sluice/internal/credential"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/metrics"
	"sluice.dev/sluice/internal/payload"
	"sluice.dev/sluice/internal/traces"
	"sluice.dev/sluice/internal/wire"
)

// Guard tells who asks.
type Guard interface {
	// Who is whoever sends a request. It is fault.Unauthorized where that cannot be told.
	Who(r *http.Request) (access.Subject, error)
}

// Options are what a server is made of.
type Options struct {
	Engine       *engine.Engine // which takes names as they are given
	Guard        Guard
	Grants       func() *access.Grants // what bindings give; nil: whoever is let in may do anything
	Tokens       Tokens                // nil: there are none
	Requests     Requests              // nil: keys are not heeded
	Authority    *credential.Authority // signs agents' certificates; nil: none are let in
	Invitations  Invitations
	Hooks        Hooks          // nil: nobody is told of what happens at forges
	Payloads     *payload.Ring  // the keys of payloads; nil: they are not encrypted
	Origins      []string       // of pages that may have payloads decoded
	Logins       []wire.LoginAt // where people may log in, whom nobody knows yet
	Installation string
	Version      string
	Clock        clock.WithTicker
	Logger       *slog.Logger
	Metrics      *metrics.Server             // where it counts; nil: nobody looks
	Traces       *traces.Traces              // nil: none are sent
	Ready        func(context.Context) error // whether it can answer; nil where it always can
	LookEvery    time.Duration               // how often a run that somebody watches is looked at; default 1 s
	BodyWithin   time.Duration               // so long somebody may take to send a body; default a minute
	PlaceWithin  time.Duration               // so long a large body waits for its turn to be read; default 30 s
	HookWithin   time.Duration               // so long a delivery of a forge may take to arrive; default 10 s
	TakenIn      time.Duration               // so long somebody who watches may take to read what he is sent; default 10 s
}

// Bounds on those who ask.
const (
	maxBody       = 24 << 20 // bytes: an archive, as JSON has it
	maxHeaders    = 32 << 10
	headersWithin = 10 * time.Second
	bodyWithin    = time.Minute
	idleFor       = 2 * time.Minute
	answeredIn    = 15 * time.Minute // a plan of a thousand clusters takes its time
	endsWithin    = 10 * time.Second // what is being answered when it ends
)

// Handler answers requests.
func Handler(o Options) http.Handler {
	mux := http.NewServeMux()
	o.LookEvery, o.BodyWithin, o.TakenIn = cmp.Or(o.LookEvery, lookEvery), cmp.Or(o.BodyWithin, bodyWithin), cmp.Or(o.TakenIn, takenIn)
	o.PlaceWithin, o.HookWithin = cmp.Or(o.PlaceWithin, placeWithin), cmp.Or(o.HookWithin, hookWithin)
	if o.Metrics == nil {
		o.Metrics = metrics.NewServer()
	}
	s := &server{
		fleets:  fleets{read: o.Engine.Fleet, clock: o.Clock},
		Options: o, right: newLimits(mostPer, mostAtOnce, o.Clock), wrong: newLimits(wrongPer, wrongAtOnce, o.Clock),
		objects: objects{of: map[asSeen]access.Object{}}, reading: make(chan struct{}, readers), denials: newDenials(o.Clock),
		open: map[string]bool{}, bodies: newBodies(),
	}
	a := describe(mux)
	a.UseMiddleware(called)
	register(a, s)
	if s.Hooks != nil {
		mux.HandleFunc("POST "+hooksPath+"{source}", newHooks(s).take)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, fault.New(fault.NotFound, "there is nothing at %s %.200s", r.Method, r.URL.Path))
	})
	return s.counted(s.around(mux))
}

// bearing is what the description calls that one shows a token.
const bearing = "bearer"

// describe returns the description of what is served, on a router.
func describe(mux *http.ServeMux) huma.API {
	config := huma.DefaultConfig("Sluice", "v1")
	config.Info.Description = "Roll changes through fleets of Kubernetes clusters, in small checked steps."
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", nameOf)
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		bearing: {Type: "http", Scheme: "bearer", Description: "A token of an issuer that the server trusts, or of a service. " +
			"Machines may show a certificate instead."},
	}
	config.Formats = boundedFormats(config.Formats)
	config.Security = []map[string][]string{{bearing: {}}}
	config.CreateHooks = nil // no $schema in what is answered
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = wire.Prefix+"/openapi", "", ""
	config.RejectUnknownQueryParameters = true // a filter with a slip in its name would list everything
	named(config.Components.Schemas)
	return humago.New(mux, config)
}

// Serve answers until ctx ends, and then ends what it is answering. Without a TLS configuration it speaks plain HTTP.
func Serve(ctx context.Context, listener net.Listener, h http.Handler, t *tls.Config, log *slog.Logger) error {
	base, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // whoever watches has a connection of his own, and one of HTTP/2 takes twice the memory
	hs := &http.Server{
		Protocols: protocols,
		Handler:   h, TLSConfig: t, MaxHeaderBytes: maxHeaders, ReadHeaderTimeout: headersWithin, IdleTimeout: idleFor,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug), // of connections, which are others' doing
	}
	ended := make(chan error, 1)
	go func() {
		if t != nil {
			ended <- hs.ServeTLS(listener, "", "")
			return
		}
		ended <- hs.Serve(listener)
	}()
	select {
	case err := <-ended:
		return fault.Wrap(fault.Internal, err, "cannot serve at %s", listener.Addr())
	case <-ctx.Done():
	}
	patience, stop := context.WithTimeout(base, endsWithin)
	defer stop()
	time.AfterFunc(time.Second, leave) // those who watch are told to come again elsewhere
	if err := hs.Shutdown(patience); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(fault.Wrap(fault.Internal, err, "cannot end what is being answered"), hs.Close())
	}
	return nil
}

type server struct {
	Options
	right *limits // of those who are known
	wrong *limits // of addresses from which somebody asks who is not
	// reading is held by whoever reads documents that were sent: they may be large.
	reading chan struct{}
	bodies  bodies

	objects objects // of plans
	fleets  fleets
	denials denials
	open    map[string]bool // paths at which nobody is asked who he is
}

// around is done with each request.
func (s *server) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cache-Control", "no-store")
		if r.TLS != nil {
			head.Set("Strict-Transport-Security", "max-age=31536000")
		}
		defer s.catch(w, r)
		if isHealth(r) || s.open[r.URL.Path] || s.isHook(r) {
			next.ServeHTTP(w, r)
			return
		}
		if s.crossOrigin(w, r) {
			return
		}
		subject, err := s.Guard.Who(r)
		if err != nil {
			s.Metrics.Refused()
			if !s.wrong.allow(address(r)) {
				s.tooMuch(w) // and the log is not filled by it; whoever is known is let in from there all the same
				return
			}
			s.fail(w, r, err)
			return
		}
		if s.Grants != nil && !s.right.allow(subject.Name) {
			s.tooMuch(w)
			return
		}
		by := asker{Subject: subject, anyone: s.Grants == nil, denial: &denial{}}
		if !by.anyone {
			by.held = s.Grants().For(subject)
		}
		r, leave, ok := s.placed(w, r, subject.Name)
		if !ok {
			return
		}
		defer leave()
		// A copy: by the body of its own request net/http tells whether what is left of a connection is the rest of that, and no request.
		r = r.WithContext(context.WithValue(r.Context(), askerKey{}, by))
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		// Whoever does not read what is answered is cut off; a watch says so for each event.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answeredIn))
		next.ServeHTTP(w, r)
	})
}

// catch has a handler that panics answer all the same; the server goes on.
func (s *server) catch(w http.ResponseWriter, r *http.Request) {
	broken := recover()
	if broken == nil {
		return
	}
	if err, ok := broken.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(broken)
	}
	s.Logger.Error("a request broke its handler", "method", r.Method, "path", r.URL.Path, "panic", broken)
	s.fail(w, r, fault.New(fault.Internal, "cannot answer: the server has a fault, and its log says which"))
}

func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	if s.Ready != nil {
		ctx, stop := context.WithTimeout(r.Context(), 5*time.Second)
		defer stop()
		if err := s.Ready(ctx); err != nil {
			s.Logger.Warn("not ready", "error", err)
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte("not ready\n"))
			return
		}
	}
	_, _ = w.Write([]byte("ready\n"))
}
