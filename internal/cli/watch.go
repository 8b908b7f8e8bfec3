package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	tea "charm.land/bubbletea/v2"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/cli/tree"
	"sluice.dev/sluice/internal/engine"
	"sluice.dev/sluice/internal/fault"
)

// looker asks where a run is.
type looker func(context.Context) (engine.View, error)

// watching is one watch of a run, until it ends, is as the watcher waits for it to be, or ctx ends.
type watching struct {
	factory *Factory
	format  format
	look    looker
	enough  func(engine.View) bool
	scales  map[string]engine.Scale
	soaks   map[string]engine.Soaks
	ui      string
}

// toTheEnd is a watch that goes on for as long as the run does.
func toTheEnd(engine.View) bool { return false }

// watch follows a run: a tree that is drawn anew, a line for each change, or, as JSON and YAML, an object for each. It
// returns the last view that was seen, and the context's error where that ended first.
func (f *Factory) watch(ctx context.Context, e Engine, run string, as format, enough func(engine.View) bool) (engine.View, error) {
	w := &watching{
		factory: f, format: as, enough: enough, look: func(ctx context.Context) (engine.View, error) { return e.Status(ctx, run) },
	}
	if r, ok := e.(watchable); ok {
		following, stop := context.WithCancel(ctx)
		defer stop()
		w.look = follow(following, r, run)
	}
	first, err := w.look(ctx)
	if err != nil {
		return engine.View{RunStatus: api.RunStatus{Name: run, Phase: api.PhasePending}}, err
	}
	// Without what the plan has seen there is no estimate; everything else is shown all the same.
	w.scales, _ = e.Scales(ctx, run)
	w.soaks, _ = e.Soaks(ctx, run)
	if !first.Phase.Final() {
		w.ui = e.Page(ctx, run)
	}
	if f.Lively && as == asText {
		return w.redraw(ctx, first)
	}
	return w.lines(ctx, first)
}

// watchable is an engine that tells by itself when a run changes: that of a server.
type watchable interface {
	Watch(ctx context.Context, run string, hear func(engine.View, error)) error
}

// mostHeard is how much is remembered of what a watcher has not looked at yet.
const mostHeard = 100

// follow looks at what is heard of a run: at each change in its turn, and then at the last.
func follow(ctx context.Context, e watchable, run string) looker {
	var mu sync.Mutex
	var views []engine.View
	var missed error
	heard := make(chan struct{})
	begun := sync.OnceFunc(func() { close(heard) })
	tell := func(v engine.View, err error) {
		mu.Lock()
		defer mu.Unlock()
		if missed = err; err == nil {
			if views = append(views, v); len(views) > mostHeard {
				views = views[1:]
			}
		}
		begun()
	}
	go func() {
		if err := e.Watch(ctx, run, tell); err != nil {
			tell(engine.View{}, err)
		}
	}()
	return func(ctx context.Context) (engine.View, error) {
		select {
		case <-heard:
		case <-ctx.Done():
			return engine.View{}, ctx.Err()
		}
		mu.Lock()
		defer mu.Unlock()
		if len(views) > 1 {
			next := views[0]
			views = views[1:]
			return next, nil
		}
		if len(views) == 0 || missed != nil {
			return engine.View{}, missed
		}
		return views[0], nil
	}
}

// over reports whether a view is the last one.
func (w *watching) over(v engine.View) bool {
	return v.Phase.Final() && !v.Ended.IsZero() || w.enough(v)
}

// print says what has changed: for people a line for each thing, for programs the whole run.
func (w *watching) print(before, after engine.View) error {
	if w.format != asText {
		return w.format.stream(w.factory.Out, before, after)
	}
	for _, line := range tree.Changes(before, after, w.factory.Clock.Now()) {
		if _, err := fmt.Fprintln(w.factory.Out, line); err != nil {
			return fault.Wrap(fault.Internal, err, "cannot print")
		}
	}
	return nil
}

// lines prints each change.
func (w *watching) lines(ctx context.Context, view engine.View) (engine.View, error) {
	ticks := w.factory.Clock.NewTicker(w.factory.LookEvery)
	defer ticks.Stop()
	var before engine.View
	if view.Partial {
		view.Stages = nil
	}
	for {
		if err := w.print(before, view); err != nil {
			return view, err
		}
		if w.over(view) {
			return view, nil
		}
		before = view
		select {
		case <-ctx.Done():
			return view, ctx.Err()
		case <-ticks.C():
		}
		next, err := w.look(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return view, ctx.Err()
			}
			// A run outlives a server that is away for a while: what was seen last stays, with the reason.
			next = view
			next.Note = err.Error()
		}
		if next.Partial {
			next.Stages = view.Stages
		}
		view = next
	}
}

// redraw shows the tree in place.
func (w *watching) redraw(ctx context.Context, view engine.View) (engine.View, error) {
	width, height := w.factory.Width()
	model := &screen{watching: w, ctx: ctx, view: view, width: width, height: height}
	program := tea.NewProgram(model, tea.WithContext(ctx),
		tea.WithOutput(w.factory.Out), tea.WithInput(w.factory.In), tea.WithWindowSize(width, height))
	_, err := program.Run()
	switch {
	case ctx.Err() != nil:
		return model.view, ctx.Err()
	case model.left, errors.Is(err, tea.ErrInterrupted):
		return model.view, context.Canceled
	}
	return model.view, fault.Wrap(fault.Internal, err, "cannot draw")
}

// screen is the tree on a terminal.
type screen struct {
	*watching
	ctx           context.Context
	view          engine.View
	width, height int
	left          bool // the person has gone
}

type (
	looked struct {
		view engine.View
		err  error
	}
	lookAgain struct{}
)

// Init implements tea.Model.
func (s *screen) Init() tea.Cmd { return s.next() }

func (s *screen) next() tea.Cmd {
	if s.over(s.view) {
		return tea.Quit
	}
	return func() tea.Msg {
		<-s.factory.Clock.After(s.factory.LookEvery)
		return lookAgain{}
	}
}

// Update implements tea.Model.
func (s *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch m := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = m.Width, m.Height
	case tea.KeyPressMsg:
		if k := m.String(); k == "ctrl+c" || k == "q" || k == "esc" {
			s.left = true
			return s, tea.Quit
		}
	case lookAgain:
		return s, func() tea.Msg {
			view, err := s.look(s.ctx)
			return looked{view, err}
		}
	case looked:
		if m.err == nil {
			s.view = m.view
		} else {
			s.view.Note = m.err.Error()
		}
		return s, s.next()
	}
	return s, nil
}

// View implements tea.Model.
func (s *screen) View() tea.View {
	lines := s.draw(s.view, tree.Options{Width: s.width, Height: max(s.height-1, 0), Color: true, Bars: true})
	return tea.NewView(strings.Join(lines, "\n") + "\n")
}

func (w *watching) draw(v engine.View, o tree.Options) []string {
	return tree.Draw(tree.Input{View: v, Scales: w.scales, Soaks: w.soaks, Now: w.factory.Clock.Now(), UI: w.ui}, o)
}

// printTree prints where a run is, once.
func (f *Factory) printTree(ctx context.Context, e Engine, v engine.View) error {
	w := &watching{factory: f}
	if !v.Phase.Final() {
		w.ui = e.Page(ctx, v.Name)
	}
	w.scales, _ = e.Scales(ctx, v.Name)
	w.soaks, _ = e.Soaks(ctx, v.Name)
	o := tree.Options{}
	if f.Lively {
		width, _ := f.Width()
		o = tree.Options{Width: width, Color: true, Bars: true}
	}
	_, err := io.WriteString(f.Out, strings.Join(w.draw(v, o), "\n")+"\n")
	return fault.Wrap(fault.Internal, err, "cannot print")
}
