import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Writes a configuration of nginx, one owner behind each prefix, and returns the command that runs it in the foreground. */
export function nginxCommand(
  directory: string,
  port: number,
  ownerPorts: readonly number[],
  connections: number,
): string[] {
  const file = join(directory, 'nginx.conf')
  writeFileSync(file, nginxConfiguration(directory, port, ownerPorts, connections))
  // Without -e nginx tries the log file it was built with, which an ordinary user may not open.
  return ['nginx', '-e', join(directory, 'error.log'), '-p', directory, '-c', file]
}

/** One worker, as all servers share one CPU; keep-alive on both sides, bodies through memory, no access log. */
export function nginxConfiguration(
  directory: string,
  port: number,
  ownerPorts: readonly number[],
  connections: number,
): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const upstreams = ownerPorts.map(
    (ownerPort, index) => `  upstream owner_${index + 1} {
    server 127.0.0.1:${ownerPort};
    keepalive ${connections};
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
  }
`,
  )
  const locations = ownerPorts.map(
    (_, index) => `    location /${index + 1}/ { proxy_pass http://owner_${index + 1}/; }\n`,
  )
  return `daemon off;
pid ${directory}/nginx.pid;
worker_processes 1;
worker_rlimit_nofile 20000;
events { worker_connections 16384; multi_accept on; }
http {
  access_log off;
  sendfile on;
  tcp_nodelay on;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
${temporary.map((name) => `  ${name}_temp_path ${directory}/${name};\n`).join('')}  proxy_http_version 1.1;
  proxy_set_header Connection '';
  proxy_set_header Host $http_host;
  proxy_max_temp_file_size 0;
  proxy_buffers 8 64k;
  proxy_busy_buffers_size 256k;
${upstreams.join('')}  server {
    listen 127.0.0.1:${port} backlog=4096;
${locations.join('')}  }
}
`
}
