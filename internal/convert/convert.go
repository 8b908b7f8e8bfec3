// Package convert carries over what other systems check by: Argo Rollouts' AnalysisTemplates to Tasks with metrics steps, checks of
// Kuberhealthy and probes of KubeProber to Probes with a binding. It names what it cannot carry over. It guesses nothing: what has no
// exact counterpart is left out, and said. It reads no cluster and no file.
package convert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// MaxBytes bounds a file.
const MaxBytes = 1 << 20

// Converted is what comes of a file.
type Converted struct {
	Tasks  []Task
	Probes []ProbeDocument
	// Left is what was not carried over, or not as it was, and where it stands in the file.
	Left pipelines.Diagnostics
}

// File converts what it knows of a file. An error is about a file that cannot be read at all.
func File(file string, body []byte) (Converted, error) {
	c := &converter{file: file}
	var documents []*yaml.Node
	if len(body) > MaxBytes {
		return c.Converted, fault.New(fault.Invalid, "cannot convert %s: it has more than %d bytes", file, MaxBytes)
	}
	for dec := yaml.NewDecoder(bytes.NewReader(body)); ; {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return c.Converted, fault.Wrap(fault.Invalid, err, "cannot convert %s", file)
		}
		if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 && !c.account(doc.Content[0]) {
			documents = append(documents, doc.Content[0])
		}
	}
	for _, doc := range documents {
		c.document(doc)
	}
	c.unused()
	c.Left = c.Left.Sorted()
	return c.Converted, nil
}

// converter converts one file.
type converter struct {
	Converted
	file     string
	accounts []*account // what checks of the file may do
}

// leave says what was not carried over.
func (c *converter) leave(at *yaml.Node, format string, args ...any) {
	c.Left = append(c.Left, pipelines.Diagnostic{
		Position: pipelines.Position{File: c.file, Line: at.Line, Column: at.Column}, Message: fmt.Sprintf(format, args...),
	})
}

func (c *converter) document(doc *yaml.Node) {
	if kind := textOf(doc, "kind"); textOf(doc, "apiVersion") == "v1" && (kind == "ConfigMap" || kind == "Secret") {
		c.leave(doc, "%s: a folder of probes holds none: bring it by a component of its own, into the namespace of the probes", kind)
		return
	}
	var kind, version, name, namespace string
	var spec *yaml.Node
	for f := range c.fields(doc, "the document") {
		switch f.name {
		case "apiVersion":
			version = f.value.Value
		case "kind":
			kind = f.value.Value
		case "metadata":
			name = c.metadata(f.value)
			namespace = textOf(f.value, "namespace")
		case "spec":
			spec = f.value
		default:
			c.unknown(f)
		}
	}
	version = strings.TrimSpace(version)
	d := slices.IndexFunc(dialects(), func(d dialect) bool { return d.version == version && d.kind == kind })
	switch {
	case d >= 0 && spec != nil:
		c.probe(dialects()[d], doc, name, namespace, spec)
	case d >= 0:
		c.leave(doc, "%s %s has no spec", kind, name)
	case !strings.HasPrefix(version, "argoproj.io/") || kind != "AnalysisTemplate" && kind != "ClusterAnalysisTemplate":
		c.leave(doc, "%s %q: only AnalysisTemplate and ClusterAnalysisTemplate, KuberhealthyCheck, KuberhealthyJob and "+
			"HealthCheck, and KubeProber's Probe are carried over", strings.TrimSpace(version+" "+kind), name)
	case spec == nil:
		c.leave(doc, "%s %s has no spec", kind, name)
	default:
		c.template(doc, name, spec)
	}
}

func (c *converter) metadata(n *yaml.Node) (name string) {
	for f := range c.fields(n, "metadata") {
		switch f.name {
		case "name":
			name = f.value.Value
		case "namespace": // what is written belongs to none
		default:
			c.leave(f.key, "metadata.%s: a Task has none", f.name)
		}
	}
	return name
}
