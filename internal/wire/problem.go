package wire

import (
	"net/http"

	"sluice.dev/sluice/internal/fault"
)

// ProblemType is the media type of a Problem.
const ProblemType = "application/problem+json"

// Problem is what is answered where something cannot be done, as RFC 9457 has it.
type Problem struct {
	Title  string     `json:"title"`
	Status int        `json:"status"`
	Code   fault.Code `json:"code"`
	Detail string     `json:"detail"`
	Errors []Mistake  `json:"errors,omitempty"` // of documents
}

// statuses are those of HTTP by code.
var statuses = map[fault.Code]int{
	fault.Invalid: http.StatusBadRequest, fault.NotFound: http.StatusNotFound, fault.Conflict: http.StatusConflict,
	fault.Refused: http.StatusForbidden, fault.Unreachable: http.StatusServiceUnavailable, fault.Unauthorized: http.StatusUnauthorized,
	fault.Internal: http.StatusInternalServerError,
}

// StatusOf is the HTTP status of a code.
func StatusOf(code fault.Code) int { return statuses[code] }
