package component

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"sluice.dev/sluice/deploy/local/internal/kubelet"
	"sluice.dev/sluice/deploy/local/internal/proc"
	"sluice.dev/sluice/deploy/local/internal/stack"
)

// defaultBackoff is how long a container that crashes again and again waits for its next start: short, so that tests and
// people see several.
const defaultBackoff = 5 * time.Second

func runNode(args []string) error {
	flags := flag.NewFlagSet(stack.ProcessNode, flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach the cluster")
	o := kubelet.Options{LeaseSeconds: stack.NodeLeaseSeconds}
	flags.StringVar(&o.Node, "name", "", "name of the node")
	flags.StringVar(&o.Dir, "dir", "", "folder of the node")
	flags.StringVar(&o.Programs, "programs", "", "folder of the programs that stand in for images")
	flags.StringVar(&o.APIServer, "api-server", "", "address at which pods reach the API server")
	addresses := flags.String("pod-addresses", "", "loopback addresses of pods")
	flags.StringVar(&o.CertFile, "tls-cert-file", "", "certificate of the kubelet")
	flags.StringVar(&o.KeyFile, "tls-private-key-file", "", "key of the kubelet")
	flags.StringVar(&o.ClientCA, "client-ca-file", "", "certificate of the only client")
	flags.IntVar(&o.Port, "port", 0, "port of the kubelet")
	flags.DurationVar(&o.MaxBackoff, "max-restart-backoff", defaultBackoff, "longest pause before a container is started again")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := nameVersion(); err != nil {
		return err
	}
	var err error
	if o.Client, err = clientcmd.BuildConfigFromFlags("", *kubeconfig); err != nil {
		return fmt.Errorf("cannot read kubeconfig: %w", err)
	}
	o.Client.UserAgent, o.Client.QPS, o.Client.Burst = stack.ProcessNode, 100, 200
	// Elsewhere than on Linux the loopback has one address.
	if runtime.GOOS == "linux" {
		if o.Addresses, err = netip.ParsePrefix(*addresses); err != nil {
			return fmt.Errorf("cannot read addresses of pods: %w", err)
		}
	}
	// The node ends its pods itself when the stack is gone: the processes that they left in the background are not killed
	// with this one.
	if err := proc.OutliveParent(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return kubelet.Run(ctx, o)
}
