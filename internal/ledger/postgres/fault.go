package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"sluice.dev/sluice/internal/fault"
)

// The states of PostgreSQL that are told apart.
const (
	badText          = "22021" // character_not_in_repertoire
	readOnly         = "25006"
	badAuthorization = "28000"
	badPassword      = "28P01"
	noDatabase       = "3D000"
	notSerializable  = "40001"
	deadlock         = "40P01"
	notPrivileged    = "42501"
	tooManyClients   = "53300"
	tooLarge         = "54000" // program_limit_exceeded: a name that no index takes
	locked           = "55P03" // lock_not_available
	shuttingDown     = "57P01"
	crashed          = "57P02"
	starting         = "57P03"
	idleInWrite      = "25P03" // idle_in_transaction_session_timeout
)

// explain says which ledger an error is of: people have more than one server. It is Internal, as the contract wants it, whatever the server
// lacks: what runs does not mistake that for a cluster out of reach or for somebody else's change, and tries again. A text that
// cannot be kept is Invalid.
func (p place) explain(err error) error {
	code, what := meaning(err)
	if code != "" && code != fault.Invalid {
		code = fault.Internal
	}
	return p.say(err, code, what)
}

// explainOpening is explain for whoever opens a ledger, and has to hear what to change.
func (p place) explainOpening(err error) error {
	code, what := meaning(err)
	return p.say(err, code, what)
}

func (p place) say(err error, code fault.Code, what string) error {
	if code == "" {
		return err
	}
	return fault.Wrap(code, err, "%s %s", p, what)
}

// meaning is what an error says of the database; nothing where it is none of the database's.
func meaning(err error) (code fault.Code, what string) {
	var known *fault.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return "", ""
	}
	var said *pgconn.PgError
	if errors.As(err, &said) {
		switch said.Code {
		case readOnly:
			return fault.Unreachable, "is read-only"
		case badPassword, badAuthorization:
			return fault.Unauthorized, "does not let us in"
		case notPrivileged:
			return fault.Unauthorized, "does not let us"
		case noDatabase:
			return fault.NotFound, "is not there"
		case badText, tooLarge:
			return fault.Invalid, "cannot keep it"
		case notSerializable, deadlock, locked:
			return fault.Unreachable, "is being written by others"
		case tooManyClients:
			return fault.Unreachable, "has no connection left"
		}
	}
	var refused *pgconn.ConnectError
	if lost(err) || errors.As(err, &refused) {
		return fault.Unreachable, "does not answer"
	}
	return fault.Internal, "failed"
}

// undone reports whether the server has taken a write back, so that another attempt may go better.
func undone(err error) bool {
	var said *pgconn.PgError
	return errors.As(err, &said) && (said.Code == notSerializable || said.Code == deadlock)
}

// lost reports whether a connection that was there is lost.
func lost(err error) bool {
	var refused *pgconn.ConnectError
	if errors.As(err, &refused) {
		return false
	}
	var said *pgconn.PgError
	if errors.As(err, &said) {
		switch said.Code {
		case shuttingDown, crashed, starting, idleInWrite:
			return true
		}
		return strings.HasPrefix(said.Code, "08") // connection_exception
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
