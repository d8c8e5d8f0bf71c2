// A server that opens a TCP port itself, and leaves haproxy before it ends: at TERM
// its health goes bad, and it serves on until haproxy has seen that. A balancer that
// asks a second time has taken note of the first answer.
'use strict';
const http = require('node:http');
const path = require('node:path');

const [host, port] = process.argv.slice(2);
const release = path.basename(process.cwd());
const nobodyAsks = 3000; // ms; then no balancer is there that could send anything
let stopping = false;
let told = 0;
let leave;

// stopUnlessAsked ends it, once it has answered what it accepted, if nobody asks for its
// health any more.
const stopUnlessAsked = () => {
  clearTimeout(leave);
  leave = setTimeout(() => server.close(), nobodyAsks);
};

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const answer = (status) => {
    response.writeHead(status, { 'Content-Type': 'text/plain' });
    response.end(`${release} ${process.pid}\n`);
  };
  if (url.pathname === '/healthz') {
    answer(stopping ? 503 : 200);
    if (stopping) stopUnlessAsked();
    if (stopping && ++told >= 2) {
      clearTimeout(leave);
      server.close();
    }
  } else if (url.pathname === '/api/slow') setTimeout(answer, Number(url.searchParams.get('ms')), 200);
  else answer(200);
});

server.listen(Number(port), host);
process.once('SIGTERM', () => {
  stopping = true;
  stopUnlessAsked();
});
