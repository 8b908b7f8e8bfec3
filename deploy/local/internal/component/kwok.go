package component

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"

	"sigs.k8s.io/kwok/kustomize/stage/node/fast"
	heartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	"sigs.k8s.io/kwok/pkg/client/clientset/versioned"
	"sigs.k8s.io/kwok/pkg/kwok/controllers"
	"sigs.k8s.io/kwok/pkg/utils/client"

	"sluice.dev/sluice/deploy/local/internal/simulation"
	"sluice.dev/sluice/deploy/local/internal/stack"
)

// kwokIdentity holds the node leases. It is the same in every process, so that
// one that was started again takes over at once.
const kwokIdentity = "sluice-local"

func runKwok(args []string) error {
	flags := flag.NewFlagSet(stack.Kwok, flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach the cluster")
	cert := flags.String("tls-cert-file", "", "certificate of the kubelets")
	key := flags.String("tls-private-key-file", "", "key of the kubelets")
	port := flags.Int("kubelet-port", 0, "port on which every node's kubelet serves logs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	stages, err := loadStages()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	config, err := kwokConfig(ctx, *kubeconfig, stages)
	if err != nil {
		return err
	}
	controller, err := controllers.NewController(config)
	if err != nil {
		return fmt.Errorf("cannot make kwok: %w", err)
	}
	if err := controller.Start(ctx); err != nil {
		return fmt.Errorf("cannot start kwok: %w", err)
	}
	server := &http.Server{
		Addr:              stack.Loopback(*port),
		Handler:           simulation.Kubelet(config.TypedClient),
		ReadHeaderTimeout: 10 * time.Second,
	}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.ListenAndServeTLS(*cert, *key); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve logs: %w", err)
	}
	return nil
}

func kwokConfig(ctx context.Context, kubeconfig string, stages stageGroups) (controllers.Config, error) {
	var none controllers.Config
	clients, err := client.NewClientset("", kubeconfig)
	if err != nil {
		return none, fmt.Errorf("cannot read kubeconfig: %w", err)
	}
	restConfig, err := clients.ToRESTConfig()
	if err != nil {
		return none, fmt.Errorf("cannot read kubeconfig: %w", err)
	}
	restConfig.UserAgent = stack.Kwok
	typed, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return none, fmt.Errorf("cannot make client: %w", err)
	}
	if err := waitForNodes(ctx, typed); err != nil {
		return none, err
	}
	if err := dropLeases(ctx, typed); err != nil {
		return none, err
	}
	dynamic, err := clients.ToDynamicClient()
	if err != nil {
		return none, fmt.Errorf("cannot make client: %w", err)
	}
	mapper, err := clients.ToRESTMapper()
	if err != nil {
		return none, fmt.Errorf("cannot make client: %w", err)
	}
	restClient, err := rest.RESTClientFor(restConfig)
	if err != nil {
		return none, fmt.Errorf("cannot make client: %w", err)
	}
	kwokClient, err := versioned.NewForConfig(restConfig)
	if err != nil {
		return none, fmt.Errorf("cannot make client: %w", err)
	}
	return controllers.Config{
		Clock:                        clock.RealClock{},
		DynamicClient:                dynamic,
		RESTClient:                   restClient,
		RESTMapper:                   mapper,
		ImpersonatingDynamicClient:   clients.ToImpersonatingDynamicClient(),
		ImpersonatingTypedClient:     clients.ToImpersonatingTypedClient(),
		TypedClient:                  typed,
		TypedKwokClient:              kwokClient,
		ManageNodesWithLabelSelector: "!" + stack.ProcessLabel,
		LocalStages:                  stages,
		ID:                           kwokIdentity,
		CIDR:                         "10.240.0.0/16",
		NodeIP:                       "172.31.255.254",
		NodeLeaseDurationSeconds:     stack.NodeLeaseSeconds,
		NodeLeaseParallelism:         8,
		NodePlayStageParallelism:     8,
		PodPlayStageParallelism:      8,
		PodsOnNodeSyncParallelism:    8,
	}, nil
}

// waitForNodes waits until the API server serves nodes.
func waitForNodes(ctx context.Context, typed kubernetes.Interface) error {
	for {
		_, err := typed.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 1})
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot reach API server: %w", err)
		case <-time.After(300 * time.Millisecond):
		}
	}
}

type stageGroups = map[internalversion.StageResourceRef][]*internalversion.Stage

// loadStages returns what nodes and pods go through: KWOK's own stages for
// nodes, ours for pods.
func loadStages() (stageGroups, error) {
	stages := simulation.Stages()
	for _, text := range []string{fast.DefaultNodeInit, heartbeat.DefaultNodeHeartbeatWithLease} {
		var stage v1alpha1.Stage
		if err := yaml.UnmarshalStrict([]byte(text), &stage); err != nil {
			return nil, fmt.Errorf("cannot read stage: %w", err)
		}
		stages = append(stages, stage)
	}
	groups := stageGroups{}
	for _, stage := range stages {
		internal, err := internalversion.ConvertToInternalStage(&stage)
		if err != nil {
			return nil, fmt.Errorf("cannot read stage %q: %w", stage.Name, err)
		}
		groups[internal.Spec.ResourceRef] = append(groups[internal.Spec.ResourceRef], internal)
	}
	return groups, nil
}
