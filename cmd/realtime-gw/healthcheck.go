package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// healthcheckCommand is for images that hold nothing but the program.
type healthcheckCommand struct {
	Addr string `help:"Address that the gateway listens on." env:"REALTIME_GW_ADDR" default:":3030"`
}

// Run fails unless /readyz is a 200.
func (c *healthcheckCommand) Run(ctx context.Context, _ *program) error {
	target, err := loopback(c.Addr)
	if err != nil {
		return fmt.Errorf("REALTIME_GW_ADDR: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+target+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req) // and no proxy
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", req.URL, resp.Status)
	}
	return nil
}

// loopback is where this machine reaches what listens on an address.
func loopback(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // a name would need a file or a server that knows it
	}
	return net.JoinHostPort(host, port), nil
}
