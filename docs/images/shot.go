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
	seconds, err := strconv.Atoi(args[5])
	if err != nil {
		return err
	}
	profile, err := os.MkdirTemp("", "shot")
	if err != nil {
		return err
	}
	defer os.RemoveAll(profile)
	browser := exec.Command(args[0], "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
		"--force-device-scale-factor=2", "--remote-debugging-port=0", "--remote-allow-origins=*",
		"--user-data-dir="+profile, "--window-size="+args[3]+","+args[4], args[1])
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
	time.Sleep(time.Duration(seconds) * time.Second)
	picture, err := capture(host)
	if err != nil {
		return err
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

func capture(host string) ([]byte, error) {
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
		if target.Type != "page" {
			continue
		}
		page, err := websocket.Dial(target.URL, "", "http://"+host)
		if err != nil {
			return nil, err
		}
		defer page.Close()
		if err := websocket.JSON.Send(page, map[string]any{"id": 1, "method": "Page.captureScreenshot"}); err != nil {
			return nil, err
		}
		var got struct {
			Result struct {
				Data []byte `json:"data"`
			} `json:"result"`
		}
		if err := websocket.JSON.Receive(page, &got); err != nil {
			return nil, err
		}
		if len(got.Result.Data) == 0 {
			return nil, fmt.Errorf("the browser sent no picture")
		}
		return got.Result.Data, nil
	}
	return nil, fmt.Errorf("the browser has no page open")
}
