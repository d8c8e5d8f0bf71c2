// A server that opens a TCP port itself, and leaves haproxy before it ends: at TERM
// its health goes bad, and it serves on until haproxy must have seen that.
'use strict';
const http = require('node:http');
const path = require('node:path');

const [host, port] = process.argv.slice(2);
const release = path.basename(process.cwd());
const leave = 1000; // ms; longer than inter times fall, and a check under way
let stopping = false;

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const answer = (status) => {
    response.writeHead(status, { 'Content-Type': 'text/plain' });
    response.end(`${release} ${process.pid}\n`);
  };
  if (url.pathname === '/healthz') answer(stopping ? 503 : 200);
  else if (url.pathname === '/api/slow') setTimeout(answer, Number(url.searchParams.get('ms')), 200);
  else answer(200);
});

server.listen(Number(port), host);
process.once('SIGTERM', () => {
  stopping = true;
  setTimeout(() => server.close(), leave);
});
