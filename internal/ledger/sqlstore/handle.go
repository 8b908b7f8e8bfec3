package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"strings"
	"unicode/utf8"

	"sluice.dev/sluice/internal/fault"
)

// executor is a *sql.DB or *sql.Tx.
type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// handle asks the database, or a transaction of it, in its own way of writing queries.
type handle struct {
	on       executor
	database *Database
	attempts int         // that a read has; 1 in a transaction, which a lost connection ends
	tx       Transaction // nil outside of one
}

// ExecContext executes a query that returns no rows.
func (h handle) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := checkTexts(args); err != nil {
		return nil, err
	}
	ctx, cancel := h.database.bounded(ctx)
	defer cancel()
	result, err := h.on.ExecContext(ctx, h.database.Query(query), args...)
	return result, h.explain(err)
}

// QueryRowContext executes a query of which the first row counts. What is wrong with it is said by Scan.
func (h handle) QueryRowContext(ctx context.Context, query string, args ...any) scanner {
	return firstRow{h, ctx, query, args}
}

// last executes a statement without parameters in the transaction, at the latest when it commits.
func (h handle) last(ctx context.Context, statement string) error {
	return h.explain(h.tx.Last(ctx, statement))
}

// explain leaves alone what is no fault of the database.
func (h handle) explain(err error) error {
	if err == nil || errors.Is(err, sql.ErrNoRows) || errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return h.database.Explain(err)
}

// again reports whether a read that failed is tried once more.
func (h handle) again(ctx context.Context, err error, attempt int) bool {
	return attempt < h.attempts && h.database.Lost(err) && inTime(ctx, err)
}

// scanner is a row.
type scanner interface{ Scan(...any) error }

type firstRow struct {
	handle
	ctx   context.Context
	query string
	args  []any
}

// Scan asks for the row, and reads it.
func (r firstRow) Scan(into ...any) error {
	if err := checkTexts(r.args); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		err := r.read(into)
		if err == nil || !r.again(r.ctx, err, attempt) {
			return r.explain(err)
		}
	}
}

func (r firstRow) read(into []any) error {
	ctx, cancel := r.database.bounded(r.ctx)
	defer cancel()
	return r.on.QueryRowContext(ctx, r.database.Query(r.query), r.args...).Scan(into...)
}

// rows runs a query and scans each of its rows.
func rows[T any](ctx context.Context, h handle, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	if err := checkTexts(args); err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		list, err := scanAll(ctx, h, scan, query, args)
		if err == nil {
			return list, nil
		}
		if !h.again(ctx, err, attempt) {
			return nil, h.explain(err)
		}
	}
}

func scanAll[T any](ctx context.Context, h handle, scan func(scanner) (T, error), query string, args []any) ([]T, error) {
	ctx, cancel := h.database.bounded(ctx)
	defer cancel()
	result, err := h.on.QueryContext(ctx, h.database.Query(query), args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = result.Close() }()
	list := []T{}
	for result.Next() {
		item, err := scan(result)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, result.Err()
}

// checkTexts is Invalid where a text is none that every database keeps as it is.
func checkTexts(args []any) error {
	for _, arg := range args {
		value := reflect.ValueOf(arg)
		if value.Kind() != reflect.String {
			continue
		}
		if text := value.String(); strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
			return fault.New(fault.Invalid, "%.40q is no text: it is not UTF-8, or has a zero byte", text)
		}
	}
	return nil
}

// readable is a text that somebody else wrote and only people read, without what no database keeps.
func readable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
