package templates

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// Encode returns objects as canonical JSON, one on a line, in the order given. Equal objects give equal bytes.
func Encode(objects []*unstructured.Unstructured) ([]byte, error) {
	var out bytes.Buffer
	for _, object := range objects {
		line, err := CanonicalJSON(object.Object)
		if err != nil {
			return nil, fmt.Errorf("cannot encode %s: %w", Name(object), err)
		}
		out.Write(line)
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}

// Decode reads what Encode wrote.
func Decode(data []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	lines := bufio.NewReader(bytes.NewReader(data))
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return objects, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("cannot decode objects: %w", err)
		}
		object := &unstructured.Unstructured{}
		if err := utiljson.Unmarshal(line, &object.Object); err != nil {
			return nil, fmt.Errorf("cannot decode object %d: %w", len(objects)+1, err)
		}
		objects = append(objects, object)
	}
}
