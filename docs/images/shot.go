//go:build ignore

// Command shot has Chromium open a page, waits some seconds, and saves what is to be seen. It goes by the real clock: a
// page that keeps a request open to hear of news never comes to rest.
//
//	go run shot.go BROWSER URL FILE WIDTH HEIGHT SECONDS
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/net/websocket"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "shot:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 6 {
		return fmt.Errorf("want BROWSER URL FILE WIDTH HEIGHT SECONDS")
	}
	var size [3]int
	for i := range size {
		n, err := strconv.Atoi(args[3+i])
		if err != nil {
			return err
		}
		size[i] = n
	}
	profile, err := os.MkdirTemp("", "shot")
	if err != nil {
		return err
	}
	defer os.RemoveAll(profile)
	browser := exec.Command(args[0], "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
		"--remote-debugging-port=0", "--remote-allow-origins=*", "--user-data-dir="+profile, args[1])
	said, err := browser.StderrPipe()
	if err != nil {
		return err
	}
	if err := browser.Start(); err != nil {
		return err
	}
	defer func() {
		_ = browser.Process.Kill()
		_ = browser.Wait()
	}()
	host, err := debugger(bufio.NewScanner(said))
	if err != nil {
		return err
	}
	page, err := open(host)
	if err != nil {
		return err
	}
	defer page.Close()
	if _, err := page.call("Emulation.setDeviceMetricsOverride", map[string]any{
		"width": size[0], "height": size[1], "deviceScaleFactor": 2, "mobile": false,
	}); err != nil {
		return err
	}
	time.Sleep(time.Duration(size[2]) * time.Second)
	picture, err := page.call("Page.captureScreenshot", nil)
	if err != nil {
		return err
	}
	if len(picture) == 0 {
		return fmt.Errorf("the browser sent no picture")
	}
	return os.WriteFile(args[2], picture, 0o644)
}

// debugger reads from what the browser prints where it listens.
func debugger(lines *bufio.Scanner) (string, error) {
	listens := regexp.MustCompile(`DevTools listening on ws://([^/]+)/`)
	for lines.Scan() {
		if found := listens.FindStringSubmatch(lines.Text()); found != nil {
			return found[1], nil
		}
	}
	return "", fmt.Errorf("the browser ended before it listened")
}

// tab is the page that the browser has open.
type tab struct {
	*websocket.Conn
	calls int
}

func open(host string) (*tab, error) {
	answer, err := http.Get("http://" + host + "/json/list")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var targets []struct {
		Type string `json:"type"`
		URL  string `json:"webSocketDebuggerUrl"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&targets); err != nil {
		return nil, err
	}
	for _, target := range targets {
		if target.Type == "page" {
			conn, err := websocket.Dial(target.URL, "", "http://"+host)
			return &tab{Conn: conn}, err
		}
	}
	return nil, fmt.Errorf("the browser has no page open")
}

// call asks the page for something, and returns the data of its answer.
func (t *tab) call(method string, params any) ([]byte, error) {
	t.calls++
	if err := websocket.JSON.Send(t.Conn, map[string]any{"id": t.calls, "method": method, "params": params}); err != nil {
		return nil, err
	}
	var got struct {
		Error *struct {
			Message string `json:"message"`
		} `json:"error"`
		Result struct {
			Data []byte `json:"data"`
		} `json:"result"`
	}
	if err := websocket.JSON.Receive(t.Conn, &got); err != nil {
		return nil, err
	}
	if got.Error != nil {
		return nil, fmt.Errorf("%s: %s", method, got.Error.Message)
	}
	return got.Result.Data, nil
}
