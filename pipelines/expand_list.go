package pipelines

import (
	"fmt"
	"regexp"
	"slices"
)

// tagList is the tag expand of a list in which one item may stand for all items of an array: args: [$(params.hosts[*])].
const tagList = "list"

// spreadText is such an item.
var spreadText = regexp.MustCompile(`^\$\((params\.[A-Za-z_][A-Za-z0-9_]*)\[\*\]\)$`)

// Spreads are the names of the arrays whose items are each an argument of the step's program, sorted, each once.
func (k *StepKinds) Spreads() []string {
	var names []string
	for _, list := range k.lists() {
		for _, item := range *list {
			if found := spreadText.FindStringSubmatch(item); found != nil {
				names = append(names, found[1])
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// lists are those of a step's kind that have the tag.
func (k *StepKinds) lists() []*[]string {
	switch {
	case k.Job != nil:
		return []*[]string{&k.Job.Command, &k.Job.Args}
	case k.Script != nil:
		return []*[]string{&k.Script.Args}
	}
	return nil
}

// spread takes the arrays out of the lists, and returns what puts their items there. What stands in an item is no text to expand.
func (k *StepKinds) spread(value func(name string) (any, bool)) (put func(), err error) {
	var all []func()
	for _, list := range k.lists() {
		items := make([][]string, len(*list))
		for i, item := range *list {
			found := spreadText.FindStringSubmatch(item)
			if found == nil {
				continue
			}
			v, ok := value(found[1])
			array, isArray := v.([]string)
			if !ok || !isArray {
				return nil, fmt.Errorf("cannot expand %s: it is no array here", item)
			}
			(*list)[i], items[i] = "", append([]string{}, array...)
		}
		all = append(all, func() {
			var out []string
			for i, item := range *list {
				if items[i] == nil {
					items[i] = []string{item}
				}
				out = append(out, items[i]...)
			}
			*list = out
		})
	}
	return func() {
		for _, list := range all {
			list()
		}
	}, nil
}
