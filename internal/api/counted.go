package api

import "fmt"

// Counted says how many there are of a noun: "1 unit", "2 units".
func Counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
