package server

import (
	"context"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"sluice.dev/sluice/internal/wire"
)

// keyed is what is sent to change something.
type keyed[Body any] = struct {
	wire.Key
	Body Body
}

// answer is what huma writes.
type answer[T any] struct{ Body T }

// on has an operation answered.
func on[In, Out any](
	s *server, a huma.API, op wire.Operation[In, Out], needs need[In], do func(context.Context, *In) (Out, error),
) {
	operation := described(s, op)
	if needs.open {
		operation.Security = []map[string][]string{}
		s.open[operation.Path] = true
	}
	huma.Register(a, operation, func(ctx context.Context, in *In) (*answer[Out], error) {
		var out Out
		err := needs.met(ctx, s, in)
		if err == nil {
			out, err = once(ctx, s, op, in, do)
		}
		if err != nil {
			if op.Mutates() {
				s.denied(ctx, op.ID, in)
			}
			return nil, problemOf(err)
		}
		if v := reflect.ValueOf(&out).Elem(); v.Kind() == reflect.Slice && v.IsNil() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0)) // a list without anything is a list
		}
		return &answer[Out]{out}, nil
	})
}

// described is an operation as huma registers it.
func described[In, Out any](s *server, op wire.Operation[In, Out]) huma.Operation {
	asProblems()
	return huma.Operation{
		OperationID: op.ID, Method: op.Method, Path: wire.Prefix + op.Path, Summary: op.Says, Tags: []string{op.Tag},
		MaxBodyBytes: maxBody, BodyReadTimeout: s.BodyWithin,
	}
}

// register has every operation answered. What each does, the engine does.
func register(a huma.API, s *server) {
	e := s.Engine
	s.plans(a, e)
	s.runs(a, e)
	s.lines(a, e)
	s.documents(a, e)
	s.lists(a, e)
	s.language(a, e)
	s.agents(a, e)
	s.probes(a, e)
	s.probeRuns(a, e)
	s.payloads(a)
	if s.Tokens != nil {
		s.tokens(a)
	}
	s.watch(a, &feeds{of: map[string]*feed{}, engine: e, tick: func() (<-chan time.Time, func()) {
		t := s.Clock.NewTicker(s.LookEvery)
		return t.C(), t.Stop
	}})
}
