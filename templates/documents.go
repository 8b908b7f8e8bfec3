package templates

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// documents reads the objects out of rendered files, in the order of file names and of documents within a file. Lists
// are taken apart. Of files that render as they stand, errors have lines.
func documents(output map[string]string, asTheyStand map[string]bool) ([]Object, error) {
	total := 0
	for _, text := range output {
		total += len(text)
	}
	if total > MaxRenderedBytes {
		return nil, &RenderError{Message: fmt.Sprintf("the templates render %d bytes, more than %d", total, MaxRenderedBytes)}
	}
	var objects []Object
	for _, name := range slices.Sorted(maps.Keys(output)) {
		found, err := fileDocuments(name, output[name])
		if err != nil {
			if !asTheyStand[name] {
				err.Line = 0
			}
			return nil, err
		}
		objects = append(objects, found...)
		if len(objects) > MaxObjects {
			return nil, &RenderError{Message: fmt.Sprintf("the templates render more than %d objects", MaxObjects)}
		}
	}
	return objects, nil
}

func fileDocuments(name, text string) ([]Object, *RenderError) {
	var objects []Object
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	rest, line := text, 1 // of the text that no document was read of
	for number := 1; ; number++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err == nil {
			before, after, _ := strings.Cut(rest, string(document))
			rest, line = after, line+strings.Count(before, "\n")
			var found []Object
			found, err = parseDocument(name, document)
			objects = append(objects, found...)
		}
		if err != nil {
			var own *RenderError
			if errors.As(err, &own) {
				own.Line = line + blankLines(document)
				return nil, own
			}
			own = &RenderError{File: name, Line: line, Message: fmt.Sprintf("cannot read document %d of what it renders", number), Cause: err}
			if at := yamlLine.FindStringSubmatch(err.Error()); at != nil {
				n, _ := strconv.Atoi(at[1]) // digits only
				own.Line += max(n, 1) - 1
				own.Message = fmt.Sprintf("cannot read line %d of document %d of what it renders", n, number)
				own.Cause = errors.New(yamlPreamble.ReplaceAllString(err.Error(), ""))
			}
			return nil, own
		}
		line += strings.Count(string(document), "\n")
	}
}

// yamlLine is how a YAML parser says in which line of a document it stopped.
var yamlLine = regexp.MustCompile(`\bline (\d+)\b`)

// yamlPreamble is what a YAML parser says before it comes to the point.
var yamlPreamble = regexp.MustCompile(`^(error converting YAML to JSON: )?(yaml: )?(unmarshal errors:\s*)?line \d+: `)

// blankLines counts the lines before a document's first that says something.
func blankLines(document []byte) int {
	n := 0
	for line := range bytes.Lines(document) {
		text := bytes.TrimSpace(line)
		if len(text) > 0 && text[0] != '#' && !bytes.HasPrefix(text, []byte("---")) {
			return n
		}
		n++
	}
	return 0
}

func parseDocument(name string, document []byte) ([]Object, error) {
	// What comes after the end of a document would be left out in silence.
	if _, rest, ends := bytes.Cut(document, []byte("\n...\n")); ends && len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("it goes on after its end (...): the next document has to begin with ---")
	}
	data, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return nil, nil
	}
	var content map[string]any
	if err := utiljson.Unmarshal(data, &content); err != nil {
		return nil, errors.New("it is not an object")
	}
	return parseObject(name, content, true)
}

func parseObject(name string, content map[string]any, mayBeList bool) ([]Object, error) {
	object := &unstructured.Unstructured{Object: content}
	list, isList := content["items"].([]any)
	if isList && mayBeList && strings.HasSuffix(object.GetKind(), "List") {
		var objects []Object
		for i, item := range list {
			inner, ok := item.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("item %d of %s is not an object", i, object.GetKind())
			}
			found, err := parseObject(name, inner, false)
			if err != nil {
				return nil, err
			}
			objects = append(objects, found...)
		}
		return objects, nil
	}
	if err := checkObject(object); err != nil {
		return nil, &RenderError{File: name, Object: Name(object), Message: err.Error()}
	}
	return []Object{{Unstructured: object, Source: name}}, nil
}

// checkObject refuses what the accessors of an object would pass over in silence.
func checkObject(object *unstructured.Unstructured) error {
	for _, required := range []string{"apiVersion", "kind"} {
		if text, ok := object.Object[required].(string); !ok || text == "" {
			return fmt.Errorf("the object has no %s", required)
		}
	}
	metadata, ok := object.Object["metadata"].(map[string]any)
	if !ok {
		return errors.New("the object has no metadata")
	}
	if name := metadata["name"]; name == nil || name == "" {
		return errors.New("the object has no name (generateName would make a new object at every run)")
	}
	for _, key := range []string{"name", "namespace"} {
		if _, ok := metadata[key].(string); !ok && metadata[key] != nil {
			return fmt.Errorf("metadata.%s is not a text: put it in quotes", key)
		}
	}
	for _, key := range []string{"labels", "annotations"} {
		value, set := metadata[key]
		if !set || value == nil {
			delete(metadata, key)
			continue
		}
		entries, ok := value.(map[string]any)
		if !ok {
			return fmt.Errorf("metadata.%s is not a map", key)
		}
		for _, name := range slices.Sorted(maps.Keys(entries)) {
			if _, ok := entries[name].(string); !ok {
				return fmt.Errorf("metadata.%s: the value of %q is not a text: put it in quotes", key, name)
			}
		}
	}
	if _, taken := object.GetAnnotations()[GeneratedAnnotation]; taken {
		return fmt.Errorf("the annotation %s is Sluice's own: the object would never be changed", GeneratedAnnotation)
	}
	return nil
}
