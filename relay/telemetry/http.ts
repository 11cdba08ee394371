// The two pages for whoever watches the relay.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Endpoint } from '../../core/endpoint.ts';

export interface HttpServer {
  readonly local: Endpoint;
  close(): Promise<void>;
}

/**
 * Serves `/healthz`, 200 while `problems` gives none and else 503 with all of them, and `/metrics`. Rejects with
 * the system's error when `endpoint` is taken.
 */
export async function serveHttp(
  endpoint: Endpoint,
  pages: { readonly problems: () => readonly string[]; readonly metrics: () => string },
): Promise<HttpServer> {
  const server = createServer((request, response) => {
    const [path] = (request.url ?? '').split('?', 1);
    if (path === '/healthz') {
      const problems = pages.problems();
      const status = problems.length === 0 ? 'ok' : 'unavailable';
      response.writeHead(problems.length === 0 ? 200 : 503, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify({ status, problems })}\n`);
    } else if (path === '/metrics') {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
      response.end(pages.metrics());
    } else {
      response.writeHead(404).end();
    }
  });
  server.listen(endpoint.port, endpoint.address);
  await once(server, 'listening');
  const bound = server.address();
  return {
    local: { ...endpoint, port: typeof bound === 'object' ? (bound?.port ?? 0) : 0 },
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
