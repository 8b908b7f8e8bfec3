package postgres_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/postgres"
	"sluice.dev/sluice/internal/ledger/postgres/postgrestest"
)

var agent = api.Component("agent")

// refuses fails the test where an error is not of a code, does not say something, or says the password.
func refuses(t *testing.T, err error, code fault.Code, says ...string) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Errorf("got code %q (%v), want %q", fault.CodeOf(err), err, code)
		return
	}
	for _, want := range says {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q: %v", want, err)
		}
	}
	keepsSecret(t, err.Error())
}

func keepsSecret(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{postgrestest.Password, url.QueryEscape(postgrestest.Password), url.PathEscape(postgrestest.Password), "p@ss", "w:rd", "s3cr3t"} {
		if strings.Contains(text, secret) {
			t.Errorf("it says the password: %s", text)
		}
	}
}

func TestAServerThatIsGoneForAWhile(t *testing.T) {
	s := server(t)
	database := s.Database(t)
	l := postgrestest.Open(t, database)
	digest := must(l.PutBlob(t.Context(), []byte("kept")))
	before := must(l.NextFence(t.Context(), "c", agent, 0))
	s.Halt()
	name := database[strings.LastIndex(database, "/")+1:]
	_, err := l.NextFence(t.Context(), "c", agent, 0)
	// Internal, that is: what moves clusters would take anything else for the cluster's, or for the end.
	refuses(t, err, fault.Internal, "cannot fence agent in c", s.Place(name), "does not answer")
	_, err = l.NewRun(t.Context(), ledger.Run{Plan: "p", Subject: agent})
	refuses(t, err, fault.Internal, "cannot make run of agent", s.Place(name))
	_, err = l.Blob(t.Context(), digest)
	refuses(t, err, fault.Internal, "cannot read blob", s.Place(name))
	_, err = l.ListRuns(t.Context(), agent, 0)
	refuses(t, err, fault.Internal, "cannot list runs", s.Place(name))
	_, err = postgres.Open(t.Context(), database, true)
	refuses(t, err, fault.Unreachable, "cannot open ledger", s.Place(name))
	s.Resume(t)
	if after := must(l.NextFence(t.Context(), "c", agent, 0)); after != before+1 {
		t.Errorf("once it is there again the fence after %d is %d", before, after)
	}
	if kept := must(l.Blob(t.Context(), digest)); string(kept) != "kept" {
		t.Errorf("the blob is %q", kept)
	}
}

// TestConnectionsThatAreCutOff: nothing that was cut off before it was committed is lost, and nothing happens twice.
func TestConnectionsThatAreCutOff(t *testing.T) {
	s := server(t)
	database := s.Database(t)
	l := postgrestest.Open(t, database)
	cut := raw(t, database)
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			var cutOff int
			err := cut.QueryRow(`SELECT COUNT(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE application_name = 'sluice' AND datname = current_database()) AS all_of_them`).Scan(&cutOff)
			if err != nil {
				t.Error(err)
			}
			n += cutOff
			select {
			case <-stop:
				stopped <- n
				return
			default:
			}
		}
	}()
	var wg sync.WaitGroup
	var unsure sync.Map
	for i := range 4 {
		wg.Go(func() {
			cluster := fmt.Sprint("c", i)
			last := int64(0)
			for j := range 20 {
				fence, err := l.NextFence(context.Background(), cluster, agent, 0)
				if err == nil && fence <= last {
					t.Errorf("fence %d came after %d", fence, last)
				}
				last = max(last, fence)
				run, err := l.NewRun(context.Background(), ledger.Run{Plan: "p", Subject: api.Component(cluster)})
				if err != nil {
					// It was cut off too often, or while it was committed.
					refuses(t, err, fault.Internal, "does not answer")
					unsure.Store(fmt.Sprint(cluster, "/", j), err)
					continue
				}
				if kept, err := l.Run(context.Background(), run.Name); err == nil && kept.Name != run.Name {
					t.Errorf("run %s was made, and is %+v", run.Name, kept)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	if n := <-stopped; n < 10 {
		t.Errorf("only %d connections were cut off", n)
	}
	failed := 0
	unsure.Range(func(_, _ any) bool { failed++; return true })
	made := len(must(l.ListRuns(t.Context(), api.Subject{}, 0)))
	if made < 80-failed || made > 80 {
		t.Errorf("%d runs are there, of 80 of which %d may be or not", made, failed)
	}
}

func TestADatabaseThatIsReadOnly(t *testing.T) {
	s := server(t)
	database := s.Database(t)
	writable := postgrestest.Open(t, database)
	run := must(writable.NewRun(t.Context(), ledger.Run{Plan: "p", Subject: agent}))
	name := database[strings.LastIndex(database, "/")+1:]
	s.Ask(t, database, "ALTER DATABASE "+name+" SET default_transaction_read_only = on")
	l, err := postgres.Open(t.Context(), database, false)
	if err != nil {
		t.Fatalf("it cannot be opened to read: %v", err)
	}
	defer func() { _ = l.Close() }()
	if there := must(l.Run(t.Context(), run.Name)); there.Name != run.Name {
		t.Errorf("the run is %+v", there)
	}
	_, err = l.NextFence(t.Context(), "c", agent, 0)
	refuses(t, err, fault.Internal, "is read-only", s.Place(name))
	_, err = l.NewRun(t.Context(), ledger.Run{Plan: "p", Subject: agent})
	refuses(t, err, fault.Internal, "is read-only", s.Place(name))
}

func TestWhoWaitsTooLongForATurn(t *testing.T) {
	database := server(t).Database(t)
	l := postgrestest.Open(t, database+"?lock_timeout=200")
	db := raw(t, database)
	tx := must(db.BeginTx(t.Context(), nil))
	defer func() { _ = tx.Rollback() }()
	must(tx.Exec(`LOCK TABLE runs IN ACCESS EXCLUSIVE MODE`))
	_, err := l.NewRun(t.Context(), ledger.Run{Plan: "p", Subject: agent})
	refuses(t, err, fault.Internal, "is being written by others")
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	must(l.NewRun(t.Context(), ledger.Run{Plan: "p", Subject: agent}))
}

func TestNoErrorSaysThePassword(t *testing.T) {
	s := server(t)
	good := must(url.Parse(s.Database(t)))
	with := func(change func(*url.URL)) string {
		u := *good
		change(&u)
		return u.String()
	}
	for reason, c := range map[string]struct {
		url  string
		code fault.Code
		says string
	}{
		"a wrong password":        {with(func(u *url.URL) { u.User = url.UserPassword("sluice", "s3cr3t") }), fault.Unauthorized, "does not let us in"},
		"no such database":        {with(func(u *url.URL) { u.Path = "/nowhere" }), fault.NotFound, "/nowhere is not there"},
		"nobody there":            {with(func(u *url.URL) { u.Host = "127.0.0.1:1" }), fault.Unreachable, "postgres://127.0.0.1:1/"},
		"a parameter out of its":  {with(func(u *url.URL) { u.RawQuery = "sslmode=sometimes" }), fault.Invalid, "sslmode"},
		"a password as parameter": {with(func(u *url.URL) { u.User = nil; u.RawQuery = "user=sluice&password=s3cr3t" }), fault.Unauthorized, "let us in"},
		"a hash sign ends a URL":  {"postgres://sluice:12#s3cr3t@127.0.0.1/x", fault.Invalid, "needs them escaped"},
		"a question mark, too":    {"postgres://sluice:12?s3cr3t@127.0.0.1/x", fault.Invalid, "needs them escaped"},
		"and a slash":             {"postgres://sluice:12/s3cr3t@127.0.0.1/x", fault.Invalid, "needs them escaped"},
		"what is no port":         {"postgres://sluice:s3cr3t/x@127.0.0.1/x", fault.Invalid, "needs them escaped"},
		"a percent sign":          {"postgres://sluice:s3cr3t%zz@127.0.0.1/x", fault.Invalid, "needs them escaped"},
	} {
		t.Run(reason, func(t *testing.T) {
			_, err := postgres.Open(t.Context(), c.url, true)
			refuses(t, err, c.code, "cannot open ledger postgres://", c.says)
			keepsSecret(t, postgres.Shown(c.url))
		})
	}
}

func TestWhatIsShownOfAURL(t *testing.T) {
	for _, c := range []struct{ reason, url, want string }{
		{"a password is left out", "postgres://ann:s3cr3t@db:5432/sluice", "postgres://ann@db:5432/sluice"},
		{"what says how to get there stays", "postgres://db/sluice?sslmode=require&search_path=x", "postgres://db/sluice?search_path=x&sslmode=require"},
		{"what may be secret does not", "postgres://db/sluice?password=s3cr3t&sslpassword=s3cr3t&odd=s3cr3t", "postgres://db/sluice"},
		{"the other scheme is one too", "postgresql://ann:s3cr3t@db/sluice", "postgresql://ann@db/sluice"},
		{"what cannot be taken apart is not shown", "postgres://ann:12#s3cr3t@db/sluice", "postgres://..."},
	} {
		if got := postgres.Shown(c.url); got != c.want {
			t.Errorf("%s: got %s, want %s", c.reason, got, c.want)
		}
	}
}
