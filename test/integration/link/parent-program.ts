/** A parent for tests: starts the program named in its arguments over Node's IPC, tells its pid and then only waits. */
import { fork } from 'node:child_process';
import { createServer } from 'node:net';

const [program = '', socketPath = '', ...args] = process.argv.slice(2);
const server = createServer((socket) => socket.resume());
server.listen(socketPath, () => {
  const child = fork(program, [...args], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], execArgv: [] });
  child.on('message', (message) => {
    if (JSON.stringify(message).includes('"hello"')) process.stdout.write(`${child.pid}\n`);
  });
  // What the test says on standard input goes to the child.
  process.stdin.on('data', (data: Buffer) => child.send(JSON.parse(data.toString('utf8'))));
});
