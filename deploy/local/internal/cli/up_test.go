package cli

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

func TestShape(t *testing.T) {
	remembered := stack.Shape{Clusters: []string{"hz", "sh"}, Nodes: 20, Pools: []stack.Pool{{Name: "edge", Nodes: 3}}}
	tests := map[string]struct {
		memory *stack.Shape
		flags  upOptions
		given  []string
		want   stack.Shape
		usage  bool
		reason string
	}{
		"NewFolder": {
			want:   stack.Shape{Clusters: stack.DefaultNames(5), Nodes: 40, Pools: []stack.Pool{{Name: "canary", Nodes: 4}}},
			reason: "the defaults are five clusters of forty nodes",
		},
		"KnownFolder": {
			memory: &remembered, want: remembered,
			reason: "without flags a stack comes up as it was",
		},
		"SameCount": {
			memory: &remembered, flags: upOptions{clusters: 2}, given: []string{"clusters"}, want: remembered,
			reason: "a count that is already true does not rename clusters",
		},
		"NodesAlone": {
			memory: &remembered, flags: upOptions{nodes: 50}, given: []string{"nodes"},
			want:   stack.Shape{Clusters: []string{"hz", "sh"}, Nodes: 50, Pools: []stack.Pool{{Name: "canary", Nodes: 5}}},
			reason: "pools of another number of nodes mean nothing",
		},
		"TemporalAlone": {
			flags: upOptions{clusters: 0}, given: []string{"clusters"},
			want:   stack.Shape{Clusters: []string{}, Nodes: 40, Pools: []stack.Pool{{Name: "canary", Nodes: 4}}},
			reason: "no clusters are allowed",
		},
		"NoPools": {
			memory: &remembered, given: []string{"pools"},
			want:   stack.Shape{Clusters: []string{"hz", "sh"}, Nodes: 20},
			reason: "an empty --pools removes them",
		},
		"NamesAgainstCount": {
			flags: upOptions{clusters: 3, names: []string{"a"}}, given: []string{"clusters", "names"}, usage: true,
			reason: "the two flags contradict each other",
		},
		"Negative": {
			flags: upOptions{clusters: -1}, given: []string{"clusters"}, usage: true,
			reason: "there are no fewer than no clusters",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := stack.Open(filepath.Join(t.TempDir(), "s"))
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Create(); err != nil {
				t.Fatal(err)
			}
			if tc.memory != nil {
				if err := f.WriteMemory(stack.Memory{Shape: *tc.memory}); err != nil {
					t.Fatal(err)
				}
			}
			got, err := tc.flags.shape(func(flag string) bool { return slices.Contains(tc.given, flag) }, f)
			var usage usageError
			if errors.As(err, &usage) != tc.usage {
				t.Fatalf("%s: error %v", tc.reason, err)
			}
			if !tc.usage && !got.Equal(tc.want) {
				t.Errorf("%s: shape %+v, want %+v", tc.reason, got, tc.want)
			}
		})
	}
}

func TestParseKubectl(t *testing.T) {
	tests := map[string]struct {
		args []string
		want kubectlOptions
		rest []string
	}{
		"Nothing":     {nil, kubectlOptions{dir: stack.DefaultFolder}, nil},
		"Cluster":     {[]string{"--cluster", "a", "get", "pods"}, kubectlOptions{dir: stack.DefaultFolder, cluster: "a"}, []string{"get", "pods"}},
		"Inline":      {[]string{"--dir=/x", "--cluster=a", "get"}, kubectlOptions{dir: "/x", cluster: "a"}, []string{"get"}},
		"KubectlsOwn": {[]string{"--cluster", "a", "get", "--dir", "b"}, kubectlOptions{dir: stack.DefaultFolder, cluster: "a"}, []string{"get", "--dir", "b"}},
		"OwnHelp":     {[]string{"--help"}, kubectlOptions{dir: stack.DefaultFolder, help: true}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, rest, err := parseKubectl(tc.args)
			if err != nil || got != tc.want || !slices.Equal(rest, tc.rest) {
				t.Errorf("%v: %+v, %v, %v; want %+v, %v", tc.args, got, rest, err, tc.want, tc.rest)
			}
		})
	}
	if _, _, err := parseKubectl([]string{"--cluster"}); err == nil {
		t.Error("a flag without its value was read")
	}
}
