// The HTTP server of the relay: health and metrics.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Endpoint } from '../../core/endpoint.ts';
import { printableJson } from '../../core/printable.ts';

/** A server that has been started. */
export interface HttpServer {
  /** The address and port that it listens on in fact. */
  readonly local: Endpoint;
  close(): Promise<void>;
}

/** What is on the pages, read at each request. */
export interface Pages {
  /** What is wrong, in words; empty when the relay can do its work. */
  readonly problems: () => readonly string[];
  /** Metrics in the text format of Prometheus. */
  readonly metrics: () => string;
}

/** Starts an HTTP server. Rejects with the system's error, such as EADDRINUSE. */
export type ServeHttp = (endpoint: Endpoint, pages: Pages) => Promise<HttpServer>;

/**
 * Serves `/healthz` and `/metrics`. `/healthz` is 200 while there are no problems, and otherwise 503 with all of them.
 */
export const serveHttp: ServeHttp = async (endpoint, pages) => {
  const server = createServer((request, response) => {
    const [path] = (request.url ?? '').split('?', 1);
    if (path === '/healthz') {
      const problems = pages.problems();
      const status = problems.length === 0 ? 'ok' : 'unavailable';
      response.writeHead(problems.length === 0 ? 200 : 503, { 'content-type': 'application/json' });
      response.end(`${printableJson(JSON.stringify({ status, problems }))}\n`);
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
};
