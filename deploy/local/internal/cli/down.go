package cli

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/deploy/local/internal/control"
	"sluice.dev/sluice/deploy/local/internal/stack"
)

const (
	downLimit = 60 * time.Second
	killLimit = 15 * time.Second
)

func newDown(env environment, folder folderFunc) *cobra.Command {
	var purge bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop the stack",
		Long: `Stop the stack and wait until all its processes are gone. Its state stays on
disk and the next up finds it, unless --purge removes the folder.`,
		Example: `  sluice local down
  sluice local down --purge`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := folder()
			if err != nil {
				return err
			}
			return runDown(cmd.Context(), env, f, purge)
		},
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "remove the state folder with everything in it")
	return cmd
}

func runDown(ctx context.Context, env environment, f stack.Folder, purge bool) error {
	pid, err := f.Holder()
	if err != nil {
		return err
	}
	if pid == 0 {
		fmt.Fprintf(env.out, "no stack is running in %s\n", f.Root())
	} else {
		if err := stopSupervisor(ctx, f, pid); err != nil {
			return err
		}
		fmt.Fprintf(env.out, "stopped the stack in %s\n", f.Root())
	}
	if !purge {
		return nil
	}
	removed, err := f.Purge()
	if err != nil {
		return err
	}
	if removed {
		fmt.Fprintf(env.out, "removed %s\n", f.Root())
	}
	return nil
}

// stopSupervisor asks the supervisor to go down, and kills it if it does not:
// its parts do not outlive it.
func stopSupervisor(ctx context.Context, f stack.Folder, pid int) error {
	if err := askDown(ctx, f); err != nil {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("cannot stop supervisor %d: %w", pid, err)
		}
	}
	gone, err := waitReleased(ctx, f, downLimit)
	if gone || err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("cannot kill supervisor %d: %w", pid, err)
	}
	gone, err = waitReleased(ctx, f, killLimit)
	if err == nil && !gone {
		err = fmt.Errorf("cannot stop supervisor %d: it does not end", pid)
	}
	return err
}

func askDown(ctx context.Context, f stack.Folder) error {
	client, err := control.NewClient(f)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return client.Down(ctx)
}

func waitReleased(ctx context.Context, f stack.Folder, limit time.Duration) (bool, error) {
	deadline := time.Now().Add(limit)
	for time.Now().Before(deadline) {
		pid, err := f.Holder()
		if err != nil || pid == 0 {
			return pid == 0, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return false, nil
}
