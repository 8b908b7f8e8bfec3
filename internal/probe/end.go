package probe

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"

	"sluice.dev/sluice/internal/api"
)

// end is why a probe did not pass.
type end struct {
	layer   Layer
	verdict api.Verdict
	err     error
	late    bool // nobody was there, as far as can be told
}

func (e *end) Error() string { return e.err.Error() }

func (e *end) Unwrap() error { return e.err }

// failed is the end of a probe whose target answered wrong.
func failed(l Layer, format string, args ...any) error {
	return &end{layer: l, verdict: api.Failed, err: fmt.Errorf(format, args...)}
}

// senseless is the end of a probe that asks nothing which can be asked.
func senseless(format string, args ...any) error {
	return &end{layer: Question, verdict: api.Error, err: fmt.Errorf(format, args...)}
}

// unsure is the end of a probe whose answer was seen in part.
func unsure(l Layer, format string, args ...any) error {
	return &end{layer: l, verdict: api.Inconclusive, err: fmt.Errorf(format, args...)}
}

// ours are errors of this machine: they say nothing about the target.
var ours = []error{
	syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT, syscall.EACCES, syscall.EPERM,
	syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, errReserved,
}

// judged is the end that an error at a layer means.
func judged(l Layer, err error) *end {
	var known *end
	if errors.As(err, &known) {
		return known
	}
	e := &end{layer: l, verdict: api.Failed, err: fmt.Errorf("%s", plain(err))}
	var name *net.DNSError
	switch {
	case l == Question, slices.ContainsFunc(ours, func(own error) bool { return errors.Is(err, own) }):
		e.verdict = api.Error
	case errors.As(err, &name):
		e.layer = Resolve
		if !name.IsNotFound {
			e.verdict = api.Error
		}
	}
	e.late = isTimeout(err) || errors.Is(err, syscall.EHOSTUNREACH)
	return e
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// plain is what an error of package net says, without the calls that it went through.
func plain(err error) string {
	var name *net.DNSError
	if errors.As(err, &name) {
		return fmt.Sprintf("cannot resolve %s: %s", name.Name, name.Err)
	}
	var op *net.OpError
	if !errors.As(err, &op) {
		return err.Error()
	}
	cause := op.Err
	var call *os.SyscallError
	if errors.As(err, &call) {
		cause = call.Err
	}
	switch {
	case op.Op == "dial" && op.Addr != nil:
		return fmt.Sprintf("cannot connect to %s: %v", op.Addr, cause)
	case op.Op == "dial":
		return fmt.Sprintf("cannot connect: %v", cause)
	}
	return fmt.Sprintf("the connection broke: %v", cause)
}
