package kubeconfig

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"sluice.dev/sluice/deploy/local/internal/pki"
)

func TestWrite(t *testing.T) {
	secrets, err := pki.Ensure(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	var contexts []Context
	for _, name := range []string{"east", "west"} {
		contexts = append(contexts, Context{
			Cluster: name, Server: "https://127.0.0.1:1", CA: secrets.CA(),
			User: pki.Admin, Token: secrets.Token(pki.Admin),
		})
	}
	if err := Write(path, contexts); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; tokens are for their owner only", info.Mode(), err)
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if config.CurrentContext != "east" || len(config.Contexts) != 2 {
		t.Errorf("current context %q of %d", config.CurrentContext, len(config.Contexts))
	}
	west := config.Contexts["west"]
	if west == nil || config.AuthInfos[west.AuthInfo].Token != secrets.Token(pki.Admin) ||
		len(config.Clusters[west.Cluster].CertificateAuthorityData) == 0 {
		t.Errorf("context west is %+v; it must stand on its own", west)
	}
	if err := clientcmd.Validate(*config); err != nil {
		t.Error(err)
	}
}

func TestWriteWithoutClusters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := Write(path, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := clientcmd.LoadFromFile(path); err != nil {
		t.Errorf("a file without clusters cannot be read: %v", err)
	}
}
