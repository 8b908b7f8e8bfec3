// Package kubeconfig writes the files through which people and parts reach the
// clusters of a stack.
package kubeconfig

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

// Context is a way to reach one cluster as one user.
type Context struct {
	Cluster string
	Server  string
	CA      []byte
	User    string
	Token   string
}

// Write writes a file with one context for each entry, named like its cluster.
// The first one is current. The file stands on its own: it embeds what it
// needs.
func Write(path string, contexts []Context) error {
	config := clientcmdapi.NewConfig()
	for i, c := range contexts {
		user := c.User + "@" + c.Cluster
		config.Clusters[c.Cluster] = &clientcmdapi.Cluster{Server: c.Server, CertificateAuthorityData: c.CA}
		config.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: c.Token}
		config.Contexts[c.Cluster] = &clientcmdapi.Context{Cluster: c.Cluster, AuthInfo: user}
		if i == 0 {
			config.CurrentContext = c.Cluster
		}
	}
	data, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("cannot encode kubeconfig: %w", err)
	}
	return stack.WriteFile(path, data)
}
