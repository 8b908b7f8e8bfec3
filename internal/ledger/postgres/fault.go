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

// explain gives an error its code, and says which ledger is meant: people have more than one server.
func (p place) explain(err error) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	say := func(code fault.Code, what string) error { return fault.Wrap(code, err, "%s %s", p, what) }
	var said *pgconn.PgError
	if errors.As(err, &said) {
		switch said.Code {
		case readOnly:
			return say(fault.Unreachable, "is read-only")
		case badPassword, badAuthorization:
			return say(fault.Unauthorized, "does not let us in")
		case notPrivileged:
			return say(fault.Unauthorized, "does not let us")
		case noDatabase:
			return say(fault.NotFound, "is not there")
		case badText, tooLarge:
			return say(fault.Invalid, "cannot keep it")
		case notSerializable, deadlock, locked:
			return say(fault.Conflict, "is being written by others")
		case tooManyClients:
			return say(fault.Unreachable, "has no connection left")
		}
	}
	var refused *pgconn.ConnectError
	if lost(err) || errors.As(err, &refused) {
		return say(fault.Unreachable, "does not answer")
	}
	return say(fault.Internal, "failed")
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
