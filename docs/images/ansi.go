//go:build ignore

// Command ansi turns what a program printed on a terminal into an HTML page that looks like it. It knows the sequences
// for colours, bold and faint text, and leaves all others out.
package main

import (
	"bufio"
	"fmt"
	"html"
	"os"
	"regexp"
	"strconv"
	"strings"
)

const page = `<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: #1d1f21; }
pre { margin: 0; padding: 24px 28px; color: #c5c8c6; font: 14px/1.45 "DejaVu Sans Mono", Menlo, Consolas, monospace; }
b.prompt { color: #8abeb7; font-weight: normal; }
</style><pre><b class="prompt">%s</b>
%s</pre>
`

var sequence = regexp.MustCompile("\x1b\\[([0-9;:]*)([A-Za-z])|\x1b\\][^\x07]*\x07|\x1b[=>()][0-9A-B]?")

func main() {
	out := &strings.Builder{}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		line := strings.ReplaceAll(in.Text(), "\r", "")
		last, open := 0, false
		for _, at := range sequence.FindAllStringSubmatchIndex(line, -1) {
			out.WriteString(html.EscapeString(line[last:at[0]]))
			last = at[1]
			if at[4] < 0 || line[at[4]:at[5]] != "m" {
				continue
			}
			if open {
				out.WriteString("</span>")
				open = false
			}
			if css := style(line[at[2]:at[3]]); css != "" {
				fmt.Fprintf(out, `<span style="%s">`, css)
				open = true
			}
		}
		out.WriteString(html.EscapeString(line[last:]))
		if open {
			out.WriteString("</span>")
		}
		out.WriteByte('\n')
	}
	fmt.Printf(page, html.EscapeString(strings.Join(os.Args[1:], " ")), strings.TrimRight(out.String(), "\n"))
}

// style turns the numbers of one sequence into CSS; "" for a reset.
func style(numbers string) string {
	var css []string
	all := strings.FieldsFunc(numbers, func(r rune) bool { return r == ';' || r == ':' })
	for i := 0; i < len(all); i++ {
		n, _ := strconv.Atoi(all[i])
		switch {
		case n == 1:
			css = append(css, "font-weight: bold")
		case n == 2:
			css = append(css, "opacity: .6")
		case n >= 30 && n <= 37:
			css = append(css, "color: "+basic(n-30))
		case n >= 90 && n <= 97:
			css = append(css, "color: "+basic(n-90+8))
		case n == 38 && i+2 < len(all) && all[i+1] == "5":
			m, _ := strconv.Atoi(all[i+2])
			css = append(css, "color: "+indexed(m))
			i += 2
		case n == 38 && i+4 < len(all) && all[i+1] == "2":
			css = append(css, fmt.Sprintf("color: rgb(%s,%s,%s)", all[i+2], all[i+3], all[i+4]))
			i += 4
		}
	}
	return strings.Join(css, "; ")
}

func basic(n int) string {
	return []string{
		"#707880", "#cc6666", "#b5bd68", "#f0c674", "#81a2be", "#b294bb", "#8abeb7", "#c5c8c6",
		"#969896", "#d54e53", "#b9ca4a", "#e7c547", "#7aa6da", "#c397d8", "#70c0b1", "#eaeaea",
	}[n]
}

// indexed is a colour of the palette of 256.
func indexed(n int) string {
	switch {
	case n < 16:
		return basic(n)
	case n >= 232:
		grey := 8 + (n-232)*10
		return fmt.Sprintf("rgb(%d,%d,%d)", grey, grey, grey)
	}
	level := func(v int) int {
		if v == 0 {
			return 0
		}
		return 55 + 40*v
	}
	n -= 16
	return fmt.Sprintf("rgb(%d,%d,%d)", level(n/36), level(n/6%6), level(n%6))
}
