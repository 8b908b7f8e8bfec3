package ledger

import "time"

// Mark is a place in a list: the key of the row that is before it. The zero value is the beginning. It counts for the list that it is of,
// whatever that list is narrowed to, and stays where it is when rows are added.
type Mark struct {
	Number int64     `json:"n,omitempty"` // that the store has given the row; of every list but that of plans
	At     time.Time `json:"at,omitzero"` // when a plan was made
	Hash   string    `json:"hash,omitempty"`
}

// Page asks for a part of a list: at most Limit rows, as Rows has it, that come after a mark.
//
// Who asks for one page after the other, each after the last row of the one before, gets every row that is there all the while, once; and
// one that is added meanwhile once, or, as it comes before where he is, not at all. A plan that is made again is added anew.
type Page struct {
	After Mark
	Limit int
}

// Marked is a row of a list, and the place after it.
type Marked[T any] struct {
	Row  T
	Mark Mark
}
