package site

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// nodePage is how many nodes are asked for at a time.
const nodePage = 500

// SampleNodes returns at most so many nodes with some labels, by rendezvous hash: another run looks at others.
func (s *Site) SampleNodes(ctx context.Context, with map[string]string, most int) ([]*corev1.Node, error) {
	var found []*corev1.Node
	of := metav1.ListOptions{LabelSelector: labels.Set(with).String(), Limit: nodePage}
	for {
		list, err := s.Client.CoreV1().Nodes().List(ctx, of)
		if err != nil {
			return nil, Blame(err, "list nodes")
		}
		for i := range list.Items {
			found = append(found, &list.Items[i])
		}
		found = sampled(found, most, s.Run)
		if of.Continue = list.Continue; of.Continue == "" {
			return found, nil
		}
	}
}

// sampled are the nodes that the key ranks first: a node that comes or goes changes nothing about the others.
func sampled(all []*corev1.Node, most int, key string) []*corev1.Node {
	slices.SortFunc(all, func(a, b *corev1.Node) int {
		return cmp.Or(cmp.Compare(weight(key, b.Name), weight(key, a.Name)), strings.Compare(a.Name, b.Name))
	})
	return all[:min(len(all), most)]
}

func weight(key, node string) uint64 {
	sum := sha256.Sum256([]byte(key + "\x00" + node))
	return binary.BigEndian.Uint64(sum[:8])
}
