package cluster

import (
	"errors"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"sluice.dev/sluice/internal/kube"
	"sluice.dev/sluice/internal/rights"
)

// office is a real API server with RBAC, as its administrator has it.
type office struct {
	config *rest.Config
	client *kubernetes.Clientset
	admin  *kube.Cluster
}

func openOffice(t *testing.T, kubeconfig string) *office {
	t.Helper()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig}, &clientcmd.ConfigOverrides{CurrentContext: "a"},
	).ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 100, 200
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	pool := kube.NewPool(kube.Options{Kubeconfigs: []string{kubeconfig}})
	t.Cleanup(pool.Close)
	admin, err := pool.Cluster(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	return &office{config: config, client: client, admin: admin}
}

func (o *office) create(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	if _, err := o.admin.Create(t.Context(), object); err != nil && !apierrors.IsAlreadyExists(errors.Unwrap(err)) {
		t.Fatal(err)
	}
}

// hires gives an account its roles, and returns the token by which it is known.
func (o *office) hires(t *testing.T, name string, roles []rights.Role) string {
	t.Helper()
	given := rights.Manifest{
		Name: name, Whose: rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: kube.LeaseNamespace, Name: name}, Roles: roles,
	}
	for _, object := range given.Objects() {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			t.Fatal(err)
		}
		o.create(t, &unstructured.Unstructured{Object: content})
	}
	asked, err := o.client.CoreV1().ServiceAccounts(kube.LeaseNamespace).CreateToken(t.Context(), name,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(3600))}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return asked.Status.Token
}
