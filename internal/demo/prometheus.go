package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

// findPrometheus returns the program that checks of metrics ask.
func findPrometheus() (string, error) {
	path, err := exec.LookPath("prometheus")
	if err != nil {
		return "", errors.New("cannot play the demo without Prometheus, which its checks ask for metrics: " +
			"install the package prometheus (Debian, Ubuntu), or put the program prometheus on the path")
	}
	return path, nil
}

// startPrometheus starts a Prometheus beside the play that scrapes the API servers of all clusters, and writes the DataSource that
// says where it is.
func (p *play) startPrometheus(ctx context.Context) error {
	dir := filepath.Join(p.o.Dir, "prometheus")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of Prometheus: %w", err)
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	config := filepath.Join(dir, "prometheus.yml")
	scrapes, err := p.scrapes(dir)
	if err != nil {
		return err
	}
	p.source = filepath.Join(dir, "source.yaml")
	source := "apiVersion: sluice.dev/v1alpha1\nkind: DataSource\nmetadata: {name: demo}\n" +
		"spec: {address: \"http://" + address + "\", clusterGroups: {all: true}}\n"
	for path, text := range map[string]string{config: scrapes, p.source: source} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return fmt.Errorf("cannot write a file for Prometheus: %w", err)
		}
	}
	path := filepath.Join(p.o.Out, "prometheus.log")
	log, err := createLog(path)
	if err != nil {
		return err
	}
	defer log.Close()
	// It outlives this step, and is stopped when the play cleans up.
	p.prometheus, err = begin(exec.CommandContext(context.WithoutCancel(ctx), p.o.Prometheus, "--config.file="+config,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address), log)
	if err != nil {
		return err
	}
	return p.scraped(ctx, address, path)
}

// scrapes is a configuration that scrapes each API server, with the rights of the stack's kubeconfig.
func (p *play) scrapes(dir string) (string, error) {
	var text strings.Builder
	text.WriteString("global: {scrape_interval: 5s}\nscrape_configs:\n")
	for _, name := range p.shape.clusters {
		api, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
			&clientcmd.ClientConfigLoadingRules{ExplicitPath: p.stack.Kubeconfig}, &clientcmd.ConfigOverrides{CurrentContext: name},
		).ClientConfig()
		if err != nil {
			return "", fmt.Errorf("cannot read context %s of %s: %w", name, p.stack.Kubeconfig, err)
		}
		authority, token := filepath.Join(dir, name+".ca"), filepath.Join(dir, name+".token")
		for path, data := range map[string][]byte{authority: api.CAData, token: []byte(api.BearerToken)} {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				return "", fmt.Errorf("cannot write what Prometheus shows %s: %w", name, err)
			}
		}
		fmt.Fprintf(&text, `- job_name: %[1]s
  scheme: https
  tls_config: {ca_file: %[2]q}
  authorization: {credentials_file: %[3]q}
  static_configs: [{targets: [%[4]q], labels: {cluster: %[1]s}}]
  metric_relabel_configs: [{source_labels: [__name__], regex: apiserver_request_total, action: keep}]
`, name, authority, token, strings.TrimPrefix(api.Host, "https://"))
	}
	return text.String(), nil
}

// freeAddress is an address of this machine at which nobody listens.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("cannot find a free port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}

// scraped waits until Prometheus has reached every API server. The error names its log.
func (p *play) scraped(ctx context.Context, address, log string) error {
	for {
		up, err := reached(ctx, address)
		if err == nil && up == len(p.shape.clusters) {
			return nil
		}
		select {
		case <-p.prometheus.done:
			return fmt.Errorf("it ended at once (%v): see %s", p.prometheus.err, log)
		case <-ctx.Done():
			return fmt.Errorf("it reaches %d of %d API servers (%v): see %s", up, len(p.shape.clusters), err, log)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// reached is how many of its targets a Prometheus has scraped.
func reached(ctx context.Context, address string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/api/v1/query?query=up==1", nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var answer struct {
		Data struct{ Result []json.RawMessage }
	}
	err = json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&answer)
	return len(answer.Data.Result), err
}
