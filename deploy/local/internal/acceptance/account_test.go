package acceptance

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// accountScript prints where the API server is, and the token and the certificate by which a pod asks it.
const accountScript = `cd "$VOLUMES/var/run/secrets/kubernetes.io/serviceaccount" &&
echo "$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT|$(cat namespace)|$(cat token)|$(cat ca.crt)"; sleep 60`

// testAccounts has a pod ask the API server by what it found in its volumes and its environment.
func testAccounts(t *testing.T, c kubernetes.Interface) {
	ctx := context.Background()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "asker"}}
	if _, err := c.CoreV1().ServiceAccounts(namespace).Create(ctx, account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	spec := onProcessNode(corev1.Container{Image: "sluice.local/fixture:1.0", Command: []string{"sh", "-c", accountScript}})
	spec.ServiceAccountName = "asker"
	// Files of a token belong to the user that a pod names; here they belong to whoever started the stack.
	spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(65532)), FSGroup: new(int64(65532))}
	createPod(t, c, "asker", spec)
	bare := onProcessNode(corev1.Container{Image: "sluice.local/fixture:1.0"})
	bare.AutomountServiceAccountToken = new(false)
	createPod(t, c, "bare", bare)

	var said []string
	eventually(t, 20*time.Second, func() string {
		text := podLog(t, c, "asker", corev1.PodLogOptions{})
		if said = strings.SplitN(text, "|", 4); len(said) != 4 {
			return fmt.Sprintf("it says %q", text)
		}
		return ""
	})
	if said[1] != namespace {
		t.Errorf("it is told to be in namespace %q", said[1])
	}
	asker, err := kubernetes.NewForConfig(&rest.Config{
		Host: "https://" + said[0], BearerToken: said[2], TLSClientConfig: rest.TLSClientConfig{CAData: []byte(said[3])},
	})
	if err != nil {
		t.Fatal(err)
	}
	who, err := asker.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil || who.Status.UserInfo.Username != "system:serviceaccount:"+namespace+":asker" {
		t.Errorf("the API server takes it for %+v, %v", who.Status.UserInfo, err)
	}
	// It may do what its roles say, and has none.
	if _, err := asker.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("it may list pods: %v", err)
	}
	pod, err := c.CoreV1().Pods(namespace).Get(ctx, "bare", metav1.GetOptions{})
	if err != nil || len(pod.Spec.Volumes) != 0 {
		t.Errorf("a pod that wants no token has volumes %+v, %v", pod.Spec.Volumes, err)
	}
	testProcessPodsGo(t, c, "asker", "bare")
}
