package simulation

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// followEvery is how often a followed log is looked at for new lines.
const followEvery = time.Second

// Kubelet answers what the API server asks the kubelets of a cluster's nodes:
// the logs of containers, and nothing else.
func Kubelet(client kubernetes.Interface) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		q, err := parseLogQuery(r.URL.Query())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		serveLog(w, r, client, q)
	})
	return mux
}

// logQuery is what `kubectl logs` can ask for.
type logQuery struct {
	follow, previous, timestamps bool
	since                        time.Time
	tail                         int
	limit                        int64
}

func parseLogQuery(values url.Values) (logQuery, error) {
	q := logQuery{
		follow:     values.Get("follow") == "true",
		previous:   values.Get("previous") == "true",
		timestamps: values.Get("timestamps") == "true",
		tail:       -1,
		limit:      -1,
	}
	var err error
	if text := values.Get("tailLines"); text != "" {
		if q.tail, err = strconv.Atoi(text); err != nil {
			return q, fmt.Errorf("cannot read tailLines: %w", err)
		}
	}
	if text := values.Get("limitBytes"); text != "" {
		if q.limit, err = strconv.ParseInt(text, 10, 64); err != nil {
			return q, fmt.Errorf("cannot read limitBytes: %w", err)
		}
	}
	if text := values.Get("sinceSeconds"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return q, fmt.Errorf("cannot read sinceSeconds: %w", err)
		}
		q.since = time.Now().Add(-time.Duration(seconds) * time.Second)
	}
	if text := values.Get("sinceTime"); text != "" {
		if q.since, err = time.Parse(time.RFC3339, text); err != nil {
			return q, fmt.Errorf("cannot read sinceTime: %w", err)
		}
	}
	return q, nil
}

// serveLog writes the log, and what comes new if it is followed, until the
// client leaves or the pod is gone.
func serveLog(w http.ResponseWriter, r *http.Request, client kubernetes.Interface, q logQuery) {
	pods := client.CoreV1().Pods(r.PathValue("namespace"))
	after := q.since
	for first := true; ; first = false {
		now := time.Now()
		pod, err := pods.Get(r.Context(), r.PathValue("pod"), metav1.GetOptions{})
		var lines []Line
		if err == nil {
			lines, err = Log(pod, r.PathValue("container"), q.previous, now)
		}
		switch {
		case err != nil && !first:
			return
		case apierrors.IsNotFound(err):
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		lines = newer(lines, after)
		if first && q.tail >= 0 {
			lines = lines[max(0, len(lines)-q.tail):]
		}
		q.limit = writeLines(w, lines, q)
		if !q.follow || q.limit == 0 {
			return
		}
		after = now
		http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(followEvery):
		}
	}
}

func newer(lines []Line, than time.Time) []Line {
	for i, line := range lines {
		if line.Time.After(than) {
			return lines[i:]
		}
	}
	return nil
}

// writeLines returns how many bytes may still be written, -1 for any number.
func writeLines(w io.Writer, lines []Line, q logQuery) int64 {
	for _, line := range lines {
		text := line.Text + "\n"
		if q.timestamps {
			text = line.Time.UTC().Format(time.RFC3339Nano) + " " + text
		}
		if q.limit >= 0 {
			text = text[:min(int64(len(text)), q.limit)]
			q.limit -= int64(len(text))
		}
		if _, err := io.WriteString(w, text); err != nil || q.limit == 0 {
			return 0
		}
	}
	return q.limit
}
