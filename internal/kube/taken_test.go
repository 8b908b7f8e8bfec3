package kube_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"sluice.dev/sluice/internal/api"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/kubetest"
)

func named(version, kind, namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(version)
	o.SetKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

func TestWhoMayTakeALease(t *testing.T) {
	for _, c := range []struct {
		reason string
		spec   kube.LeaseSpec
		may    bool
	}{
		{"the run that has it", kube.LeaseSpec{Installation: "east", Run: "run-2", Fence: 5}, true},
		{"a run with a higher fence", kube.LeaseSpec{Installation: "east", Run: "run-3", Fence: 6}, true},
		{"the same run with a lower fence", kube.LeaseSpec{Installation: "east", Run: "run-2", Fence: 4}, false},
		{"another run with the same fence", kube.LeaseSpec{Installation: "east", Run: "run-3", Fence: 5}, false},
		{"an earlier run", kube.LeaseSpec{Installation: "east", Run: "run-1", Fence: 4}, false},
		{"another installation", kube.LeaseSpec{Installation: "west", Run: "run-9", Fence: 9}, false},
	} {
		t.Run(c.reason, func(t *testing.T) {
			server := kubetest.New(t)
			there := kube.LeaseSpec{Subject: api.Component("agent"), Installation: "east", Run: "run-2", Digest: "d2", Fence: 5}
			if _, err := kube.AcquireLease(t.Context(), server.Cluster(), there); err != nil {
				t.Fatal(err)
			}
			c.spec.Subject, c.spec.Digest = api.Component("agent"), "d3"
			elsewhere := server.Cluster()
			_, err := kube.AcquireLease(t.Context(), elsewhere, c.spec)
			if c.may != (err == nil) || err != nil && fault.CodeOf(err) != fault.Conflict {
				t.Errorf("it says %v", err)
			}
			now, err := kube.SeeLease(t.Context(), elsewhere, api.Component("agent"))
			want := there
			if c.may {
				want = c.spec
			}
			if err != nil || now.Run != want.Run || now.Fence != want.Fence || now.Installation != want.Installation {
				t.Errorf("the lease is %+v, %v", now, err)
			}
		})
	}
}

func TestADeletionIsOfOneObjectOnly(t *testing.T) {
	server := kubetest.New(t)
	o := named("v1", "ConfigMap", "apps", "a")
	server.Put(o)
	c := server.Cluster()
	if err := c.Delete(t.Context(), o.GroupVersionKind(), "apps", "a", "another"); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("another one of that name: %v", err)
	}
	there := server.Object(o)
	if there == nil {
		t.Fatal("it is gone")
	}
	if err := c.Delete(t.Context(), o.GroupVersionKind(), "apps", "a", there.GetUID()); err != nil || server.Object(o) != nil {
		t.Errorf("the one that is meant: %v", err)
	}
}
