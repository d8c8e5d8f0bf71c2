// A server of one release, on the socket that it inherits or else at HOST PORT. The
// file fault, if there is one, says what is wrong with it.
//   server.js [HOST PORT]
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');

const release = path.basename(process.cwd());
const fault = fs.existsSync('fault') ? fs.readFileSync('fault', 'utf8') : '';
const settle = 5000; // ms that a connection has to be idle for before it is closed
let stopping = false;

function crash(words) {
  console.error(new Error(words));
  process.exit(7);
}

if (fault === 'import') require('no-such-module');
if (fault === 'hang') {
  console.error('connecting to the database');
  fs.readSync(fs.openSync('gate'), Buffer.alloc(1)); // until the test lets it go on
}
if (fault === 'crash') {
  fs.createReadStream('gate').once('data', () => {
    crash('the cache is too large');
  });
}

function answer(response, status = 200) {
  if (stopping) response.setHeader('Connection', 'close');
  response.writeHead(status, { 'Content-Type': 'text/plain' });
  response.end(`${release} ${process.pid}\n`);
}

const server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname === '/slow') {
    setTimeout(answer, Number(url.searchParams.get('ms')), response);
    return;
  }
  if (url.pathname === '/healthz' && fault === 'sick') {
    console.error('Error: no such table: users');
    answer(response, 500);
    return;
  }
  answer(response);
});

// It is asked how it is at a socket of this generation alone: at the one that all
// share, another could answer for it. Or it says so itself, on the
// descriptor READY_FD.
const own = http.createServer(server.listeners('request')[0]);
const [host, port] = process.argv.slice(2);
server.listen(process.env.LISTEN_FDS ? { fd: 3 } : { host, port }, () => {
  own.listen(`health-${process.env.HUPWATCH_GENERATION}.sock`, () => {
    if (process.env.READY_FD) fs.writeSync(Number(process.env.READY_FD), '\n');
    if (fault === 'ready') crash('the cache cannot be opened');
  });
});

// server.close() would close idle connections as the next request arrives on them.
// Whoever uses theirs within settle is told that it closes instead.
process.once('SIGTERM', () => {
  stopping = true;
  net.Server.prototype.close.call(server);
  own.close();
  setTimeout(() => server.closeIdleConnections(), settle).unref();
});
