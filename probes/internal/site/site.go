// Package site is where a case works: a namespace of a cluster, with the account of its pod. All that a case makes there is made
// here, so that it carries the name of its run, goes with its pod, and can be swept. It decides nothing about what is seen.
package site

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"sluice.dev/sluice/probes/internal/trial"
)

// Labels of all that cases make.
const (
	LabelRun  = "sluice.dev/probe-run"  // the name of the run
	LabelMade = "sluice.dev/probe-made" // the case that made it
)

// accountDir is where a pod finds the token of its account.
const accountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

// Bounds on what a case asks of an API server.
const (
	queries = 50
	burst   = 100
	patient = 10 * time.Second // for one request
)

// Site is where a run of a case works.
type Site struct {
	Client    kubernetes.Interface
	Config    *rest.Config
	Namespace string
	Case, Run string
	// Blame says what it means that the API server did not do what was asked: the function Blame, unless a case is about the server.
	Blame func(err error, doing string) error

	metadata metadata.Interface
	owner    *metav1.OwnerReference
	timeout  time.Duration // after which another run of the case is over
}

// Open opens the cluster that the pod runs in; or, where KUBECONFIG is set, the one that it names. Without credentials there is
// nothing to look with.
func Open(name string, timeout time.Duration, getenv func(string) string) (*Site, error) {
	config, namespace, err := credentials(getenv)
	if err != nil {
		return nil, trial.Blind("NoCredentials", "cannot ask the API server: %w", err)
	}
	config.UserAgent, config.QPS, config.Burst, config.Timeout = "sluice-probe/"+name, queries, burst, patient
	s := &Site{
		Config: config, Case: name, timeout: timeout, Blame: Blame,
		Namespace: cmp.Or(getenv("KH_POD_NAMESPACE"), getenv("POD_NAMESPACE"), namespace, "sluice-probes"),
		Run:       runName(cmp.Or(getenv("SLUICE_PROBE_RUN"), getenv("KH_RUN_UUID"), name)),
	}
	if pod, uid := getenv("POD_NAME"), getenv("POD_UID"); pod != "" && uid != "" {
		s.owner = ownedBy(pod, types.UID(uid))
	}
	return s, s.Reopen()
}

// Reopen makes the clients anew, after a change of Config.
func (s *Site) Reopen() (err error) {
	if s.Client, err = kubernetes.NewForConfig(s.Config); err == nil {
		s.metadata, err = metadata.NewForConfig(s.Config)
	}
	if err != nil {
		return trial.Blind("NoCredentials", "cannot make a client: %w", err)
	}
	return nil
}

func ownedBy(pod string, uid types.UID) *metav1.OwnerReference {
	return &metav1.OwnerReference{APIVersion: "v1", Kind: "Pod", Name: pod, UID: uid}
}

// runName is what a label takes of the name of a run.
func runName(name string) string {
	if len(name) <= 63 {
		return name
	}
	return name[:50] + "-" + Digest(name)
}

// Digest is short, and the same for the same text.
func Digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:5])
}

func credentials(getenv func(string) string) (*rest.Config, string, error) {
	if file := getenv("KUBECONFIG"); file != "" {
		rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: file}
		overrides := &clientcmd.ConfigOverrides{CurrentContext: getenv("KUBECONTEXT")}
		c := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
		config, err := c.ClientConfig()
		return config, "", err
	}
	host, port := getenv("KUBERNETES_SERVICE_HOST"), getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, "", errors.New("the pod is not told where it is")
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	dir, err := account(getenv("VOLUMES"))
	if err != nil {
		return nil, "", err
	}
	namespace, err := os.ReadFile(filepath.Join(dir, "namespace"))
	if err != nil {
		return nil, "", err
	}
	config := &rest.Config{
		Host: "https://" + host + ":" + port, BearerTokenFile: filepath.Join(dir, "token"),
		TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(dir, "ca.crt")},
	}
	return config, strings.TrimSpace(string(namespace)), nil
}

// account is the folder of the token. A process of the local stack finds its volumes below a folder of its own.
func account(volumes string) (string, error) {
	for _, dir := range []string{filepath.Join(volumes, accountDir), accountDir} {
		_, err := os.Stat(filepath.Join(dir, "token"))
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("the pod has no token of an account in %s", accountDir)
}

// Name is a name of this run: another run makes others.
func (s *Site) Name(suffix string) string {
	name := "probe-" + s.Case + "-" + Digest(s.Run)
	if suffix != "" {
		name += "-" + suffix
	}
	return name
}

// Made is what all that a case makes carries.
func (s *Site) Made(name string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: s.Namespace, Name: name, Labels: s.Labels()}
	if s.owner != nil {
		m.OwnerReferences = []metav1.OwnerReference{*s.owner}
	}
	return m
}

// Labels are those of all that the run makes.
func (s *Site) Labels() map[string]string {
	return map[string]string{LabelRun: s.Run, LabelMade: s.Case}
}
