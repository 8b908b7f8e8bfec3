package catalog

import (
	"maps"
	"slices"

	"sluice.dev/sluice/pipelines"
)

// Entry is a ready-made Task or Pipeline.
type Entry struct {
	Kind        string            `json:"kind"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Params      []pipelines.Param `json:"params,omitempty"`
	Steps       []Step            `json:"steps,omitempty"`
	Text        string            `json:"text,omitempty"` // as it could stand in a file
}

// Step is a step of a Task, of one kind, and what that may read or change.
type Step struct {
	Name string   `json:"name"`
	Kind string   `json:"kind"`
	Does []string `json:"does"`
}

// Entries are what is ready-made in a library, sorted by kind and name. Errors are pipelines.Diagnostics.
func Entries(library []pipelines.Source) ([]Entry, error) {
	docs, err := pipelines.Loader{Library: library}.Parse()
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for _, s := range library {
		texts[s.Name] = string(s.Data)
	}
	var all []Entry
	for _, name := range slices.Sorted(maps.Keys(docs.Pipelines)) {
		p := docs.Pipelines[name]
		all = append(all, Entry{
			Kind: pipelines.KindPipeline, Name: name, Description: p.Spec.Description, Params: p.Spec.Params, Text: texts[p.Position.File],
		})
	}
	for _, name := range slices.Sorted(maps.Keys(docs.Tasks)) {
		t := docs.Tasks[name]
		e := Entry{
			Kind: pipelines.KindTask, Name: name, Description: t.Spec.Description, Params: t.Spec.Params, Text: texts[t.Position.File],
		}
		for i := range t.Spec.Steps {
			s := &t.Spec.Steps[i]
			e.Steps = append(e.Steps, Step{Name: s.Name, Kind: s.Kind(), Does: s.Does()})
		}
		all = append(all, e)
	}
	return all, nil
}
