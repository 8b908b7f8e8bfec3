package pipelines

import (
	"slices"

	"github.com/invopop/jsonschema"
	"go.yaml.in/yaml/v4"
)

// containerFields are the fields of a job that may stand in the step itself, as Tekton's people write them. computeResources are
// the limits of a job; profile and nodeSelector are a job's own.
func containerFields() []string {
	return []string{
		"image", "command", "args", "script", "env", "workingDir", fieldResources, "results", "profile", "nodeSelector",
	}
}

const (
	fieldResources   = "computeResources"
	ephemeralStorage = "ephemeral-storage"
)

// container makes a job of a step that names an image, before it is decoded: what follows knows one form, and every value stays
// where it was written. It says what is wrong with a step that is half of that form, which nothing more is said about then.
func (d *decoder) container(step *yaml.Node) bool {
	job := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	var rest []*yaml.Node
	var image, kind *yaml.Node
	for i := 0; i+1 < len(step.Content); i += 2 {
		key, value := step.Content[i], step.Content[i+1]
		program := key.Value == "script" && target(value).ShortTag() != "!!str" // an executable of the worker, or what is none
		switch {
		case slices.Contains(containerFields(), key.Value) && !program:
			job.Content = append(job.Content, key, value)
			if key.Value == "image" {
				image = key
			}
		default:
			rest = append(rest, key, value)
			if slices.Contains(stepFields, key.Value) {
				kind = key
			}
		}
	}
	if len(job.Content) == 0 {
		return true
	}
	step.Content = rest
	switch first := job.Content[0]; {
	case image == nil && kind != nil && (kind.Value == "job" || kind.Value == "script"):
		d.fail(first, "%s belongs into %s", first.Value, kind.Value)
	case image == nil && first.Value == "script":
		d.fail(first, "script as a text needs an image beside it, in which it runs; an executable of the worker is script: {name: NAME}")
	case image == nil:
		d.fail(first, "%s needs an image beside it: the step runs a pod of it", first.Value)
	case kind != nil && kind.Value == "job":
		d.fail(image, "image stands beside job: write it into job, or leave job out")
	case kind != nil:
		d.fail(image, "a step is of one kind, not image and %s: make two steps of it", kind.Value)
	default:
		key := *image
		key.Value, job.Line, job.Column = "job", image.Line, image.Column
		step.Content = append(rest, &key, job)
		return d.resources(job)
	}
	d.doc.bad[step] = true
	return false
}

// resources makes the limits of a job of Tekton's computeResources.
func (d *decoder) resources(job *yaml.Node) bool {
	for i := 0; i+1 < len(job.Content); i += 2 {
		key, given := job.Content[i], target(job.Content[i+1])
		if key.Value != fieldResources {
			continue
		}
		if given.Kind != yaml.MappingNode || len(given.Content) != 2 || given.Content[0].Value != "limits" {
			job.Content = slices.Delete(job.Content, i, i+2)
			return d.fail(key, "%s are limits and nothing else: what a pod asks for follows from them", fieldResources)
		}
		job.Content[i], job.Content[i+1] = given.Content[0], limitsOf(target(given.Content[1]))
	}
	return true
}

// limitsOf are limits in the words of a job. The node may stand elsewhere, too, and stays as it is.
func limitsOf(given *yaml.Node) *yaml.Node {
	limits := *given
	limits.Content = slices.Clone(given.Content)
	for i := 0; i+1 < len(limits.Content) && limits.Kind == yaml.MappingNode; i += 2 {
		if key := *limits.Content[i]; key.Value == ephemeralStorage {
			key.Value = "storage"
			limits.Content[i] = &key
		}
	}
	return &limits
}

// inStep lets the schema of a step be written with an image, as container reads it.
func inStep(step, job, limits *jsonschema.Schema) {
	names := containerFields()
	for _, name := range names {
		property, ok := job.Properties.Get(name)
		switch {
		case name == fieldResources:
			property = resourcesSchema(limits)
		case !ok:
			panic("a job has no field " + name) // any test that asks for a schema finds it
		case name == "script":
			executable, _ := step.Properties.Get(name)
			property = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{property, executable}}
		}
		step.Properties.Set(name, property)
		if name != "image" && name != "script" {
			if step.DependentRequired == nil {
				step.DependentRequired = map[string][]string{}
			}
			step.DependentRequired[name] = []string{"image"}
		}
	}
	step.OneOf = append(step.OneOf, &jsonschema.Schema{Required: []string{"image"}})
	for _, kind := range step.OneOf {
		if kind.Required[0] == "script" { // a text is none of its own
			kind.Properties = jsonschema.NewProperties()
			kind.Properties.Set("script", &jsonschema.Schema{Type: "object"})
		}
	}
}

func resourcesSchema(limits *jsonschema.Schema) *jsonschema.Schema {
	properties := jsonschema.NewProperties()
	for pair := limits.Properties.Oldest(); pair != nil; pair = pair.Next() {
		name := pair.Key
		if name == "storage" {
			name = ephemeralStorage
		}
		properties.Set(name, pair.Value)
	}
	given := jsonschema.NewProperties()
	given.Set("limits", &jsonschema.Schema{Type: "object", Properties: properties, AdditionalProperties: jsonschema.FalseSchema})
	return &jsonschema.Schema{
		Type: "object", Properties: given, Required: []string{"limits"}, AdditionalProperties: jsonschema.FalseSchema,
		Description: "What the pod may use, as Kubernetes writes it.",
	}
}
