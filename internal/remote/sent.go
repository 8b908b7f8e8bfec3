package remote

import (
	"context"
	"errors"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/bundle"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/origin"
	"sluice.dev/sluice/internal/wire"
	"sluice.dev/sluice/pipelines"
)

// askOf asks for something that is made of documents: they are sent as they are, and the server checks them. What is wrong with them is
// said as the engine says it, of the files by the names that they have here.
func askOf[In, Out any](
	ctx context.Context, e *Engine, op wire.Operation[In, Out], f engine.Files, with func(wire.Sent) In,
) (out Out, err error) {
	files, err := pipelines.Gather(f.Paths...)
	if err != nil {
		return out, engine.CannotLoad(f.Paths, err)
	}
	packed, err := bundle.Pack(f.Paths, files)
	if err != nil {
		return out, err
	}
	from, err := origins(f.Paths)
	if err != nil {
		return out, err
	}
	out, err = ask(ctx, e.Client, op, with(wire.Sent{Archive: packed.Archive, Paths: packed.Paths, Origin: &from}))
	var wrong pipelines.Diagnostics
	if errors.As(err, &wrong) {
		for i := range wrong {
			wrong[i].Position.File = packed.Given(wrong[i].Position.File)
		}
		err = engine.CannotLoad(f.Paths, wrong.Sorted())
	}
	return out, err
}

// origins is where paths come from: the first one's origin, with changes that no commit has wherever they are.
func origins(paths []string) (first api.Origin, err error) {
	for i, path := range paths {
		o, failed := origin.Of(path)
		if i == 0 {
			first = o
		}
		first.Dirty = first.Dirty || o.Dirty
		err = errors.Join(err, failed)
	}
	return first, err
}
