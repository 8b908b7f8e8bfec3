module sluice.dev/sluice/probe

go 1.26.0
