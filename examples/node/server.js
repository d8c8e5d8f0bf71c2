// A server that says which generation of it answers, on the sockets that it
// inherits, and that stops without losing a request.
'use strict';
const http = require('node:http');
const net = require('node:net');

const name = `pid ${process.pid} generation ${process.env.HUPWATCH_GENERATION ?? 0}\n`;
const settle = 1000; // ms that a connection must have been idle before it is closed
let stopping = false;

function answer(response) {
  if (stopping) response.setHeader('Connection', 'close');
  response.setHeader('Content-Type', 'text/plain');
  response.end(name);
}

function handle(request, response) {
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname !== '/slow') return answer(response);
  setTimeout(answer, Number(url.searchParams.get('ms') ?? 800), response);
}

// server.close() would close idle connections as the next request arrives on
// them. Whoever uses theirs within settle is told that it closes instead.
function stop(server) {
  net.Server.prototype.close.call(server);
  setTimeout(() => server.closeIdleConnections(), settle).unref();
}

const servers = [];
for (let fd = 3; fd < 3 + Number(process.env.LISTEN_FDS ?? 0); fd++) {
  servers.push(http.createServer({ keepAliveTimeout: 60_000 }, handle).listen({ fd }));
}
process.once('SIGTERM', () => {
  stopping = true;
  servers.forEach(stop);
});
