package component

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"sluice.dev/sluice/deploy/local/internal/stack"
)

// slowRequest is what etcd logs as slow. Its own limits fill the log of a
// machine that runs several clusters.
const slowRequest = 2 * time.Second

func runEtcd(args []string) error {
	flags := flag.NewFlagSet(stack.Etcd, flag.ContinueOnError)
	dir := flags.String("data-dir", "", "folder of the data")
	client := flags.String("client", "", "address for clients")
	peer := flags.String("peer", "", "address for other members, of which there are none")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config := embed.NewConfig()
	config.Name = "local"
	config.Dir = *dir
	config.ListenClientUrls = []url.URL{{Scheme: "http", Host: *client}}
	config.AdvertiseClientUrls = config.ListenClientUrls
	config.ListenPeerUrls = []url.URL{{Scheme: "http", Host: *peer}}
	config.AdvertisePeerUrls = config.ListenPeerUrls
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	// Data survives the death of any process; only a crash of the machine may
	// lose it.
	config.UnsafeNoFsync = true
	config.WarningApplyDuration = slowRequest
	config.WarningUnaryRequestDuration = slowRequest
	config.LogLevel = "warn"
	config.LogOutputs = []string{"stderr"}

	server, err := embed.StartEtcd(config)
	if err != nil {
		return fmt.Errorf("cannot start etcd: %w", err)
	}
	defer server.Close()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	select {
	case <-stop:
		return nil
	case <-server.Server.StopNotify():
		return fmt.Errorf("etcd stopped by itself")
	case err := <-server.Err():
		return fmt.Errorf("cannot keep etcd running: %w", err)
	}
}
