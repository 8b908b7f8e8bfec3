package lint

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"
)

// sources finds the places of things in the files of a template's folder.
type sources struct {
	folder string
	mu     sync.Mutex
	texts  map[string]string
	trees  map[string][]*yaml.Node // documents of files that hold no template action
}

func newSources(folder string) *sources {
	return &sources{folder: folder, texts: map[string]string{}, trees: map[string][]*yaml.Node{}}
}

// path is a file as the caller's paths lead to it.
func (s *sources) path(file string) string { return filepath.Join(s.folder, filepath.FromSlash(file)) }

// clusterAsked finds what may ask for the name of the cluster: anything of it but the other fields that it has.
var clusterAsked = regexp.MustCompile(`\.Cluster\b(?:$|[^.]|\.(?:Name|$))`)

// askForTheCluster reports whether a template of the folder may render differently for each cluster.
func (s *sources) askForTheCluster() bool {
	found := false
	_ = filepath.WalkDir(s.folder, func(path string, entry os.DirEntry, err error) error { // what cannot be read does not render
		if err != nil || entry.IsDir() || found {
			return err
		}
		data, err := os.ReadFile(path)
		found = found || clusterAsked.Match(data)
		return err
	})
	return found
}

// text returns a file's content; "" where it cannot be read.
func (s *sources) text(file string) string {
	if file == "" {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	text, known := s.texts[file]
	if !known {
		data, _ := os.ReadFile(s.path(file)) // what cannot be read has no places
		text = string(data)
		s.texts[file] = text
	}
	return text
}

// documents parses a file that renders as it stands; nil where it holds a template action or does not parse.
func (s *sources) documents(file string) []*yaml.Node {
	text := s.text(file)
	if text == "" || strings.Contains(text, "{{") {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if docs, known := s.trees[file]; known {
		return docs
	}
	var docs []*yaml.Node
	loader, err := yaml.NewLoader(bytes.NewReader([]byte(text)))
	for err == nil {
		var node yaml.Node
		if err = loader.Load(&node); err == nil && len(node.Content) == 1 {
			docs = append(docs, &yaml.Node{Kind: yaml.DocumentNode, Content: node.Content})
		}
	}
	s.trees[file] = docs
	return docs
}

// object is the place of an object, given as Kind/namespace/name, in a file that renders as it stands; 0, 0 where it is not
// known.
func (s *sources) object(file, object string) (line, column int) {
	if n := s.node(file, object); n != nil {
		return n.Line, n.Column
	}
	return 0, 0
}

// field is the place of a field of an object: exact in a file that renders as it stands, else that of the only line of the
// file that holds its key; 0, 0 where there is none.
func (s *sources) field(file, object string, path []string) (line, column int) {
	if n := s.node(file, object); n != nil {
		for _, step := range path {
			next, key := child(n, step)
			if next == nil {
				break
			}
			n, line, column = next, key.Line, key.Column
		}
		if line == 0 {
			return n.Line, n.Column
		}
		return line, column
	}
	if len(path) == 0 {
		return 0, 0
	}
	return s.key(file, path[len(path)-1], "")
}

// key is the place of the only line of a file that holds a key, with a value where one is given.
func (s *sources) key(file, key, value string) (line, column int) {
	expr := `(?m)(?:^|[\s{,-])["']?(` + regexp.QuoteMeta(key) + `)["']?[ \t]*:`
	if value == "" {
		expr += `(?:\s|$)`
	} else {
		expr += `[ \t]*["']?` + regexp.QuoteMeta(value) + `["']?[ \t]*(#.*)?$`
	}
	text := s.text(file)
	found := regexp.MustCompile(expr).FindAllStringSubmatchIndex(text, 2)
	if len(found) != 1 {
		return 0, 0
	}
	before := text[:found[0][2]]
	return 1 + strings.Count(before, "\n"), len(before) - strings.LastIndexByte(before, '\n')
}

// node is an object's mapping in a file that renders as it stands.
func (s *sources) node(file, object string) *yaml.Node {
	kind, rest, _ := strings.Cut(object, "/")
	name := rest[strings.LastIndexByte(rest, '/')+1:]
	var found *yaml.Node
	var look func(n *yaml.Node)
	look = func(n *yaml.Node) {
		if items, _ := child(n, "items"); items != nil && items.Kind == yaml.SequenceNode {
			for _, item := range items.Content {
				look(item)
			}
		}
		metadata, _ := child(n, "metadata")
		if found == nil && scalar(n, "kind") == kind && (name == "" || metadata != nil && strings.HasPrefix(name, scalar(metadata, "name"))) {
			found = n
		}
	}
	for _, doc := range s.documents(file) {
		look(doc.Content[0])
	}
	return found
}

// child is what a mapping has under a key, or a list under an index, and the node that stands for the place of it.
func child(n *yaml.Node, step string) (value, key *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1], n.Content[i]
			}
		}
	case yaml.SequenceNode:
		if i, isIndex := index(step); isIndex && i < len(n.Content) {
			return n.Content[i], n.Content[i]
		}
	}
	return nil, nil
}

func scalar(n *yaml.Node, key string) string {
	if value, _ := child(n, key); value != nil {
		return value.Value
	}
	return ""
}
