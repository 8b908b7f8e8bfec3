package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"sluice.dev/sluice/probe"
)

// The least a program does. Here nobody has told it where to report to, so that it prints what it found.
func ExampleReportFailure() {
	if err := probe.ReportFailure([]string{"I failed!"}); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	// os.Exit(1)
	// Output: {"OK":false,"Errors":["I failed!"]}
}

func ExampleReportSuccess() {
	if err := probe.ReportSuccess(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	// os.Exit(0)
	// Output: {"OK":true,"Errors":[]}
}

// A check with two steps. That it could not look at all is not that it found a fault.
func ExampleExecute() {
	check := func(ctx context.Context, r *probe.Run) error {
		if err := r.Step(ctx, "resolve", func(context.Context) error { return nil }); err != nil {
			return err
		}
		r.Number("replicas", 3)
		return r.Step(ctx, "get", func(context.Context) error {
			return probe.Fail("NoRoute", errors.New("connect: no route to host"))
		})
	}
	v, err := probe.Execute(context.Background(), check) // Main(check) ends the program as well
	fmt.Println(v, v.ExitStatus(), err)
	// Output:
	// {"OK":false,"Errors":["get: connect: no route to host"],"sluice":{"verdict":"Failed","code":"NoRoute","message":"get: connect: no route to host","observations":{"replicas":3},"parts":[{"name":"resolve","verdict":"Passed"},{"name":"get","verdict":"Failed","code":"NoRoute","message":"connect: no route to host"}]}}
	// Failed 1 <nil>
}

// A resident asks an API server five times a second.
func ExampleRunForever() {
	check := func(ctx context.Context, r *probe.Run) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://kubernetes.default.svc/readyz", nil)
		if err != nil {
			return probe.CouldNot("Request", err)
		}
		return r.Latency("readyz").Time(func() error {
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return probe.Fail("NoAnswer", err)
			}
			return resp.Body.Close()
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // here, at once
	fmt.Println(probe.RunForever(ctx, 200*time.Millisecond, check))
	// Output: <nil>
}
