import { Command } from 'commander';
import { registerCompletion } from './completion.js';
import type { Run } from './context.js';
import { registerDelete } from './delete.js';
import { registerGet } from './get.js';
import { registerHead } from './head.js';
import { registerOptions } from './http-options.js';
import { registerIfconfig } from './ifconfig.js';
import { addGlobalOptions } from './options.js';
import { registerPatch } from './patch.js';
import { registerPing } from './ping.js';
import { registerPost } from './post.js';
import { registerPut } from './put.js';
import { registerServe } from './serve.js';
import { registerTcpClient } from './tcp-client.js';
import { registerTcpServer } from './tcp-server.js';
import { registerUdpClient } from './udp-client.js';
import { registerUdpServer } from './udp-server.js';

/** Every command in the order of `--help`; only one that may be meant is declared, which is half of the start-up. */
const COMMANDS: ReadonlyArray<readonly [name: string, register: (program: Command, run: Run) => void]> = [
  ['serve', registerServe],
  ['get', registerGet],
  ['post', registerPost],
  ['put', registerPut],
  ['patch', registerPatch],
  ['delete', registerDelete],
  ['head', registerHead],
  ['options', registerOptions],
  ['tcp-server', registerTcpServer],
  ['tcp-client', registerTcpClient],
  ['udp-server', registerUdpServer],
  ['udp-client', registerUdpClient],
  ['ping', registerPing],
  ['ifconfig', registerIfconfig],
  ['completion', registerCompletion],
];

/** Thrown by `--version` wherever it stands; `main` prints the version then. */
export class VersionRequested extends Error {}

/** The command line. Nothing is run until `parseAsync`. */
export function createProgram(run: Run): Command {
  const program = new Command('nettool')
    .description('One program for the network: serve a folder, call an HTTP API, talk to sockets.')
    .usage('<command> [arguments] [flags]')
    // Global flags are declared on the program and on each command, so that a flag's value is never mistaken for one.
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void run.io.stdout.write(text),
      // Errors are worded in one place, by main's catch.
      writeErr: () => {},
      outputError: () => {},
    });
  const meant = COMMANDS.filter(([name]) => run.wants(name));
  for (const [, register] of meant.length > 0 ? meant : COMMANDS) register(program, run);
  for (const command of [program, ...program.commands.filter((known) => run.wants(known.name()))]) {
    addGlobalOptions(command);
    command.on('option:version', () => {
      throw new VersionRequested();
    });
  }
  return program;
}
