package sqlstore

import (
	"math"

	"sluice.dev/sluice/internal/ledger"
)

// below is the number that those of a page are below, in a list with the newest first.
func below(p ledger.Page) int64 {
	if p.After.Number == 0 {
		return math.MaxInt64
	}
	return p.After.Number
}

// marked scans rows whose first column is the number that they are listed by.
func marked[T any](scan func(scanner) (T, error)) func(scanner) (ledger.Marked[T], error) {
	return func(row scanner) (m ledger.Marked[T], err error) {
		m.Row, err = scan(after{row, []any{&m.Mark.Number}})
		return m, err
	}
}

// unmarked are rows without their marks.
func unmarked[T any](list []ledger.Marked[T], err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	plain := make([]T, len(list))
	for i := range list {
		plain[i] = list[i].Row
	}
	return plain, nil
}
