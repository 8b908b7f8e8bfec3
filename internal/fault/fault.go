// Package fault names the few kinds of failure that Sluice tells apart. The kind decides the exit code of the command
// line, the status of an API answer, and whether Temporal tries again. Nothing else is decided here.
package fault

import (
	"errors"
	"fmt"
)

// Code is a kind of failure.
type Code string

// The codes. An error without one counts as Internal.
const (
	Invalid      Code = "invalid"      // the input is wrong; trying again does not help
	NotFound     Code = "not_found"    // what was named is not there
	Conflict     Code = "conflict"     // somebody else holds or changed it
	Refused      Code = "refused"      // a rule or a gate says no
	Unreachable  Code = "unreachable"  // the other side did not answer; trying again may help
	Unauthorized Code = "unauthorized" // the other side does not let us
	Internal     Code = "internal"     // a fault of our own or one nobody foresaw
)

// Known reports whether it is one of the codes.
func (c Code) Known() bool {
	switch c {
	case Invalid, NotFound, Conflict, Refused, Unreachable, Unauthorized, Internal:
		return true
	}
	return false
}

// Error is a failure with its code. Message says what could not be done, to what, and why.
type Error struct {
	Code    Code
	Message string
	Cause   error
}

// Error returns the message, and the cause behind it.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New returns an error of the given code. The format takes no %w; use Wrap for a cause.
func New(code Code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap returns an error of the given code with a cause, or nil where the cause is nil.
func Wrap(code Code, cause error, format string, args ...any) error {
	if cause == nil {
		return nil
	}
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// CodeOf returns the code of the outermost Error in the chain, Internal for an error without one, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var f *Error
	if errors.As(err, &f) {
		return f.Code
	}
	return Internal
}

// Retryable reports whether the same call may succeed later without anybody changing the input.
func (c Code) Retryable() bool { return c == Unreachable || c == Internal }

// Exit codes of the command line.
const (
	ExitDone       = 0
	ExitFailed     = 1
	ExitInvalid    = 2
	ExitRefused    = 3
	ExitWaiting    = 4 // still waiting when --timeout ran out
	ExitRolledBack = 5
)

// Exit returns the exit code of a command that ended with this code.
func (c Code) Exit() int {
	switch c {
	case "":
		return ExitDone
	case Invalid:
		return ExitInvalid
	case Refused:
		return ExitRefused
	default:
		return ExitFailed
	}
}
