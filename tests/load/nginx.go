package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
)

// nginxConfig is a plain reverse proxy, in one process: workers of a master outlive it when
// it is killed. What it does not say is as nginx has it.
const nginxConfig = `
daemon off;
master_process off;
worker_rlimit_nofile %[1]d;
pid %[2]s/nginx.pid;
error_log stderr error;
events { worker_connections %[1]d; }
http {
	access_log %[2]s/access.log;
	client_body_temp_path %[2]s/client; proxy_temp_path %[2]s/proxy;
	fastcgi_temp_path %[2]s/fastcgi; uwsgi_temp_path %[2]s/uwsgi; scgi_temp_path %[2]s/scgi;
	large_client_header_buffers 4 32k;
	keepalive_requests 1000000;
	upstream shapes { server %[4]s; keepalive 256; }
	server {
		listen %[3]s backlog=4096;
		location / { proxy_pass http://shapes; proxy_http_version 1.1; proxy_set_header Connection ""; }
	}
}
`

// nginx starts one in front of an upstream.
func (l *lab) nginx(ctx context.Context, upstream *child) (*child, error) {
	program, err := exec.LookPath("nginx")
	if err != nil { // it may be where only root looks
		if program, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			return nil, fmt.Errorf("nginx is missing, which is compared with: run scripts/install-missing as root: %w", err)
		}
	}
	dir := filepath.Join(l.dir, "nginx")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := free.Addr().String()
	_ = free.Close()
	file := filepath.Join(dir, "nginx.conf")
	config := fmt.Sprintf(nginxConfig, l.descriptors, dir, addr, upstream.addr)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	c, err := l.begin("nginx", []string{program, "-p", dir, "-e", "stderr", "-c", file})
	if err != nil {
		return nil, err
	}
	c.addr = addr
	err = until(ctx, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil || c.over()
	})
	if c.over() {
		err = fmt.Errorf("nginx ended at once; it said:\n%s", c.said())
	}
	return c, err
}
