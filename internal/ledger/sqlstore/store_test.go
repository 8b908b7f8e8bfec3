package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/ledger"
	"sluice.dev/sluice/internal/ledger/sqlite"
	"sluice.dev/sluice/internal/ledger/sqlstore"
)

// What a database that is told to may fail with.
var (
	errLost   = errors.New("the connection is gone")
	errUndone = errors.New("it was taken back")
	errOther  = errors.New("the disk is full")
)

// frail is a database that fails as it is told: each call of a kind takes the next error.
type frail struct {
	begin, commit []error
	begun         []sqlstore.Turn
}

func next(errs *[]error) error {
	if len(*errs) == 0 {
		return nil
	}
	err := (*errs)[0]
	*errs = (*errs)[1:]
	return err
}

// open opens a new ledger that fails as f says.
func (f *frail) open(t *testing.T) *sqlstore.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	made, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	is := func(kind error) func(error) bool { return func(err error) bool { return errors.Is(err, kind) } }
	s, err := sqlstore.New(t.Context(), sqlstore.Database{
		Pool: db, Query: func(q string) string { return q }, Size: `SELECT 1`,
		Wait: func(context.Context) (func(), error) { return func() {}, nil },
		Begin: func(ctx context.Context, turn sqlstore.Turn) (sqlstore.Transaction, error) {
			f.begun = append(f.begun, turn)
			if err := next(&f.begin); err != nil {
				return nil, err
			}
			tx, err := db.BeginTx(ctx, nil)
			return transaction{tx, f}, err
		},
		Explain: func(err error) error { return err }, Undone: is(errUndone), Lost: is(errLost),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

type transaction struct {
	*sql.Tx
	of *frail
}

func (t transaction) Last(ctx context.Context, statement string) error {
	_, err := t.ExecContext(ctx, statement)
	return err
}

func (t transaction) Commit() error {
	if err := next(&t.of.commit); err != nil {
		return errors.Join(err, t.Rollback())
	}
	return t.Tx.Commit()
}

func TestWritesAreTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		reason   string
		frail    frail
		attempts int
		code     fault.Code
		says     string
	}{
		"nothing fails":               {"it is done once", frail{}, 1, "", ""},
		"it does not begin":           {"nothing has happened", frail{begin: []error{errLost, errLost}}, 3, "", ""},
		"it is taken back":            {"nothing has happened", frail{commit: []error{errUndone, errUndone, errUndone}}, 4, "", ""},
		"it is taken back for ever":   {"somebody has to hear of it", frail{commit: slices.Repeat([]error{errUndone}, 5)}, 5, fault.Internal, "taken back"},
		"nobody says that it is done": {"it may be, and must not be twice", frail{commit: []error{errLost}}, 1, fault.Internal, "nobody knows whether"},
		"it fails for good":           {"another attempt would not help", frail{commit: []error{errOther}}, 1, fault.Internal, "the disk is full"},
		"it does not begin for good":  {"another attempt would not help", frail{begin: []error{errOther}}, 1, fault.Internal, "the disk is full"},
	} {
		t.Run(name, func(t *testing.T) {
			s := c.frail.open(t)
			run, err := s.NewRun(t.Context(), ledger.Run{Plan: "p", Subject: api.Component("agent")})
			if len(c.frail.begun) != c.attempts {
				t.Errorf("it was tried %d times, want %d: %s", len(c.frail.begun), c.attempts, c.reason)
			}
			there, listed := s.ListRuns(t.Context(), api.Subject{}, 0)
			if listed != nil {
				t.Fatal(listed)
			}
			if c.code == "" {
				if err != nil || run.Name != "agent-1" || len(there) != 1 {
					t.Errorf("got %+v, %v, and %d runs are there: %s", run, err, len(there), c.reason)
				}
				return
			}
			if fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) || len(there) != 0 {
				t.Errorf("got %v, and %d runs are there, want %q with %q: %s", err, len(there), c.code, c.says, c.reason)
			}
		})
	}
}

func TestOneWhoIsNotWaitedForIsNotTriedAgain(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := frail{}
	s := f.open(t)
	f.begin = []error{errLost, errLost}
	cancel()
	if _, err := s.NewRun(ctx, ledger.Run{Plan: "p", Subject: api.Component("agent")}); err == nil || len(f.begun) != 1 {
		t.Errorf("it was tried %d times: %v", len(f.begun), err)
	}
}
